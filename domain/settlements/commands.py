"""What can be asked of a settlement."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from domain.actors import Actor
from domain.fields import Note, Reason
from domain.policy import Policy
from domain.settlements.invoicing import OwnInvoice, PaymentReference, Verdict
from domain.settlements.lines import Amount, CorrectionLine, LeftOut
from domain.settlements.settlement import Selection, Statement
from domain.values import Value


class Select(Value):
    """The partner changes the selection. `left_out`: orders that it asked for and may not bill.

    `again`: orders that were selected before, have left the selection, and are selected again.
    """

    type: Literal["select"] = "select"
    sp_ids: Selection
    left_out: tuple[LeftOut, ...] = ()
    again: bool = False


class Close(Value):
    """The partner closes the selection."""

    type: Literal["close"] = "close"


class NoteInvoice(Value):
    """Accounting (or operations) received the invoice some other way and accepted it."""

    type: Literal["note_invoice"] = "note_invoice"
    note: Note = ""


class ApproveInvoice(Value):
    """Accounting approves the invoice for payment."""

    type: Literal["approve"] = "approve"


class ReturnInvoice(Value):
    """Accounting returns the invoice to the partner, who has to send another one."""

    type: Literal["return"] = "return"
    reason: Reason


class NotePaid(Value):
    """Accounting paid the approved invoice on this day. `reference`: that of the bank."""

    type: Literal["pay"] = "pay"
    paid_on: date
    reference: PaymentReference = ""


class AcceptHeldInvoice(Value):
    """Accounting (or operations) accept the invoice that names another account than the registered one.

    `paper_id`: the invoice that they looked at; another one may have come since.
    """

    type: Literal["accept_invoice"] = "accept_invoice"
    paper_id: str


class RefuseHeldInvoice(Value):
    """Accounting (or operations) return the invoice that names another account than the registered one."""

    type: Literal["refuse_invoice"] = "refuse_invoice"
    paper_id: str
    reason: Reason


class VoidSettlement(Value):
    """Operations take the settlement back, which is possible until it is invoiced."""

    type: Literal["void"] = "void"
    reason: Reason


class AdoptRules(Value):
    """The settlement goes on under newer rules. `policy`: today's, for the values of keys that the newer rules need."""

    type: Literal["adopt_rules"] = "adopt_rules"
    version: int
    policy: Policy


class PassTime(Value):
    """Do what is due now."""

    type: Literal["pass_time"] = "pass_time"


class TakeClaims(Value):
    """All orders have answered: those that refused, and the corrections that this settlement takes.

    `fees`: the sum of the fees of all others, as the orders themselves answered.
    """

    type: Literal["take_claims"] = "take_claims"
    refused: tuple[LeftOut, ...]
    corrections: tuple[CorrectionLine, ...]
    fees: Amount | None = None


class TakeStatement(Value):
    """The statement was made and is kept."""

    type: Literal["take_statement"] = "take_statement"
    statement: Statement


class TakeVerdict(Value):
    """An invoice was checked. `paper_id`: the id of the stored file. `invoice`: its number and date if CMI made it."""

    type: Literal["take_verdict"] = "take_verdict"
    paper_id: str
    verdict: Verdict
    invoice: OwnInvoice | None = None


class NoteReleased(Value):
    """The orders of a voided settlement are `completed` again."""

    type: Literal["note_released"] = "note_released"


class NoteUndelivered(Value):
    """A mail was refused again and again, and was given up."""

    type: Literal["note_undelivered"] = "note_undelivered"
    key: str
    mail: str


ExternalCommand = (
    Select
    | Close
    | NoteInvoice
    | ApproveInvoice
    | ReturnInvoice
    | NotePaid
    | AcceptHeldInvoice
    | RefuseHeldInvoice
    | VoidSettlement
    | AdoptRules
)
InternalCommand = (
    PassTime | TakeClaims | TakeStatement | TakeVerdict | NoteReleased | NoteUndelivered
)
Command = ExternalCommand | InternalCommand


class SettlementRequest(Value):
    """A command as it is sent to a settlement's workflow. A repetition has the same `request_id`."""

    command: Annotated[ExternalCommand, Field(discriminator="type")]
    actor: Actor
    request_id: str
