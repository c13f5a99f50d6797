"""What can be asked of a settlement."""

from typing import Annotated, Literal

from pydantic import Field

from domain.actors import Actor
from domain.fields import Note, Reason
from domain.policy import Policy
from domain.settlements.invoicing import Verdict
from domain.settlements.lines import Amount, CorrectionLine, LeftOut
from domain.settlements.settlement import Selection, Statement
from domain.values import Value


class Select(Value):
    """The partner changes what is picked. `left_out`: what it asked for and may not bill."""

    type: Literal["select"] = "select"
    sp_ids: Selection
    left_out: tuple[LeftOut, ...] = ()


class Close(Value):
    """The partner closes the selection."""

    type: Literal["close"] = "close"


class NoteInvoice(Value):
    """Accounting (or operations) got the invoice by another way, and found it right."""

    type: Literal["note_invoice"] = "note_invoice"
    note: Note = ""


class VoidSettlement(Value):
    """Operations take it back, which is possible until it is invoiced."""

    type: Literal["void"] = "void"
    reason: Reason


class AdoptRules(Value):
    """It goes on under newer rules. `policy` is today's: for keys that came with them it has the values."""

    type: Literal["adopt_rules"] = "adopt_rules"
    version: int
    policy: Policy


class PassTime(Value):
    """Nothing happened but time: what is due now?"""

    type: Literal["pass_time"] = "pass_time"


class TakeClaims(Value):
    """All orders have answered: who refused, and the corrections that come with this settlement.

    `fees`: the sum of the fees of all others, as the orders themselves have told it.
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
    """An invoice was checked. `paper_id`: where it is kept."""

    type: Literal["take_verdict"] = "take_verdict"
    paper_id: str
    verdict: Verdict


class NoteReleased(Value):
    """The orders of a voided settlement are `completed` again."""

    type: Literal["note_released"] = "note_released"


class NoteUndelivered(Value):
    """A mail was refused for so long that it was given up."""

    type: Literal["note_undelivered"] = "note_undelivered"
    key: str
    mail: str


ExternalCommand = Select | Close | NoteInvoice | VoidSettlement | AdoptRules
InternalCommand = (
    PassTime | TakeClaims | TakeStatement | TakeVerdict | NoteReleased | NoteUndelivered
)
Command = ExternalCommand | InternalCommand


class SettlementRequest(Value):
    """A command as it travels to a settlement's workflow, and the name under which it may come twice."""

    command: Annotated[ExternalCommand, Field(discriminator="type")]
    actor: Actor
    request_id: str
