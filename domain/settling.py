"""The life of a settlement: `decide` what a command does, `evolve` it by what happened (DESIGN 4).

What it adds up to is `domain/settlement.py`'s. Here orders are SP-IDs alone, so that thousands of them fit into a
workflow; their lines are in the records.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from domain.calendar import Calendar
from domain.commands import Actor
from domain.invoicing import Verdict
from domain.order import Assignee, Note, Reason
from domain.policy import Policy
from domain.settlement import Amount, CorrectionLine, LeftOut, SettlementStatus, VatRates
from domain.settlement_id import Month, settlement_id
from domain.values import Value

Role = Literal["partner", "operations", "accounting", "system"]
Selection = tuple[str, ...]
"""SP-IDs, each once, in the order in which they are billed."""


class Opening(Value):
    """All a settlement starts from, and what is pinned into it.

    `picked` are orders of the partner that could be billed when it was opened, `left_out` those that were asked for and
    could not. With `automatic` the month's end opened it: the partner is told, and may still pick and unpick.
    """

    partner: Assignee
    month: Month
    policy: Policy
    calendar: Calendar
    vat_rates: VatRates = ()
    picked: Selection
    left_out: tuple[LeftOut, ...] = ()
    automatic: bool

    @property
    def settlement_id(self) -> str:
        """Its only name everywhere."""
        return settlement_id(self.partner.partner_id, self.month)


class Statement(Value):
    """The statement that was made: what it adds up to, and what its bytes are known by."""

    paper_id: str
    sha256: str
    template_version: str
    input_checksum: str
    pages: int
    net: Amount
    vat: Amount
    total: Amount


# --- commands ----------------------------------------------------------------------------------------------------


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


class PassTime(Value):
    """Nothing happened but time: what is due now?"""

    type: Literal["pass_time"] = "pass_time"


class TakeClaims(Value):
    """All orders have answered: who refused, and the corrections that come with this settlement."""

    type: Literal["take_claims"] = "take_claims"
    refused: tuple[LeftOut, ...]
    corrections: tuple[CorrectionLine, ...]


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


ExternalCommand = Select | Close | NoteInvoice | VoidSettlement
InternalCommand = (
    PassTime | TakeClaims | TakeStatement | TakeVerdict | NoteReleased | NoteUndelivered
)
Command = ExternalCommand | InternalCommand


class SettlementRequest(Value):
    """A command as it travels to a settlement's workflow, and the name under which it may come twice."""

    command: Annotated[ExternalCommand, Field(discriminator="type")]
    actor: Actor
    request_id: str


# --- events ------------------------------------------------------------------------------------------------------


class Opened(Value):
    """It was opened with these orders picked; closed at once if the partner itself did it."""

    type: Literal["opened"] = "opened"
    sp_ids: Selection
    left_out: tuple[LeftOut, ...]
    selectable_until: datetime | None


class Announced(Value):
    """The partner is told of a settlement that was opened for it."""

    type: Literal["announced"] = "announced"


class Selected(Value):
    """The selection was changed to these."""

    type: Literal["selected"] = "selected"
    sp_ids: Selection
    left_out: tuple[LeftOut, ...]


class SelectionClosed(Value):
    """From here on orders are claimed."""

    type: Literal["selection_closed"] = "selection_closed"


class OrdersClaimed(Value):
    """These many orders are billed by it; the others are left out, each with its reason."""

    type: Literal["orders_claimed"] = "orders_claimed"
    claimed: int
    left_out: tuple[LeftOut, ...]
    corrections: tuple[CorrectionLine, ...]


class NothingToBill(Value):
    """No order and no correction was left: there is no statement, and nothing to wait for."""

    type: Literal["nothing_to_bill"] = "nothing_to_bill"


class StatementIssued(Value):
    """The statement exists; the invoice is awaited until then."""

    type: Literal["statement_issued"] = "statement_issued"
    statement: Statement
    invoice_due: datetime | None


class InvoiceReminded(Value):
    """No invoice has come: the partner is reminded. The last level goes to operations, too."""

    type: Literal["invoice_reminded"] = "invoice_reminded"
    level: int
    last: bool


class InvoiceReturned(Value):
    """An uploaded invoice was not right."""

    type: Literal["invoice_returned"] = "invoice_returned"
    paper_id: str
    verdict: Verdict


class InvoiceAccepted(Value):
    """An uploaded invoice was right, and goes to accounting."""

    type: Literal["invoice_accepted"] = "invoice_accepted"
    paper_id: str


class InvoiceNoted(Value):
    """Accounting got the invoice by another way."""

    type: Literal["invoice_noted"] = "invoice_noted"
    note: str


class Voided(Value):
    """It was taken back; its orders are set free."""

    type: Literal["voided"] = "voided"
    reason: str


class OrdersReleased(Value):
    """All its orders are `completed` again."""

    type: Literal["orders_released"] = "orders_released"
    orders: int


class MailUndelivered(Value):
    """A mail was refused until it was given up."""

    type: Literal["mail_undelivered"] = "mail_undelivered"
    key: str
    mail: str


SettlementEvent = Annotated[
    Opened
    | Announced
    | Selected
    | SelectionClosed
    | OrdersClaimed
    | NothingToBill
    | StatementIssued
    | InvoiceReminded
    | InvoiceReturned
    | InvoiceAccepted
    | InvoiceNoted
    | Voided
    | OrdersReleased
    | MailUndelivered,
    Field(discriminator="type"),
]


class SettlementRecorded(Value):
    """An event in its place in the settlement's life: number (from 1), instant, author (as in `domain.events`)."""

    seq: int
    at: datetime
    by: str
    event: SettlementEvent


# --- state -------------------------------------------------------------------------------------------------------


class Settling(Value):
    """A settlement as it stands. `picked` are its orders: selected ones until `claimed`, then those it billed.

    `to_release` are orders of a voided settlement that have to be set free. `told` is whether the partner knows of a
    settlement that was opened for it.
    """

    opening: Opening
    status: SettlementStatus
    version: int = 0
    picked: Selection
    left_out: tuple[LeftOut, ...] = ()
    claimed: bool = False
    corrections: tuple[CorrectionLine, ...] = ()
    opened_at: datetime
    told: bool = False
    selectable_until: datetime | None = None
    issued_at: datetime | None = None
    invoice_due: datetime | None = None
    next_reminder: datetime | None = None
    reminders: int = 0
    statement: Statement | None = None
    last_verdict: Verdict | None = None
    invoice_paper_id: str | None = None
    voided: bool = False
    released: bool = False
    ended_at: datetime | None = None

    @property
    def settlement_id(self) -> str:
        """Its only name everywhere."""
        return self.opening.settlement_id

    @property
    def is_over(self) -> bool:
        """Whether nothing can follow, but for what has to go out."""
        match self.status:
            case SettlementStatus.INVOICED:
                return True
            case SettlementStatus.VOID:
                return self.released
            case _:
                return False


class SettlementRefused(Exception):
    """Something that a settlement does not allow now, or not to this caller.

    Attributes:
        action: what was asked.
        code: `wrong_state`, `too_late` for a selection after its time, `role`, `not_yours`.
        status: the state that refused.
        allowed: what this caller may do now.
    """

    def __init__(
        self,
        action: str,
        code: Literal["wrong_state", "too_late", "role", "not_yours"],
        status: SettlementStatus,
        allowed: tuple[str, ...] = (),
    ) -> None:
        self.action = action
        self.code = code
        self.status = status
        self.allowed = allowed
        super().__init__(f"{action} is refused in state {status} ({code})")


_PARTNER: tuple[Role, ...] = ("partner", "operations")
ROLES: dict[str, tuple[Role, ...]] = {
    "select": _PARTNER,
    "close": _PARTNER,
    "invoice": _PARTNER,
    "note_invoice": ("accounting", "operations"),
    "void": ("operations",),
}
ACTIONS: dict[SettlementStatus, tuple[str, ...]] = {
    SettlementStatus.OPEN: ("select", "close", "void"),
    SettlementStatus.CLOSING: (),
    SettlementStatus.ISSUED: ("invoice", "note_invoice", "void"),
    SettlementStatus.INVOICED: (),
    SettlementStatus.VOID: (),
}


def allowed(settling: Settling, role: str) -> tuple[str, ...]:
    """What a caller of this role may do now; `invoice` is to upload one."""
    return tuple(a for a in ACTIONS[settling.status] if role in ROLES[a])


def author(settling: Settling, actor: Actor, *, in_its_place: bool = False) -> str:
    """Who did it, and for whom, in the words of the timeline."""
    if actor.role == "partner":
        return f"partner:{actor.partner_id}"
    named = f"{actor.role}:{actor.name}" if actor.name else actor.role
    if in_its_place and actor.role == "operations":
        return f"{named} for partner:{settling.opening.partner.partner_id}"
    return named


def authorise(settling: Settling, action: str, actor: Actor) -> None:
    """Check that this actor may do this now.

    Raises:
        SettlementRefused: not in this role, not to this partner's settlement, not in this state.
    """
    if actor.role not in ROLES[action]:
        raise SettlementRefused(action, "role", settling.status, allowed(settling, actor.role))
    if actor.role == "partner" and actor.partner_id != settling.opening.partner.partner_id:
        raise SettlementRefused(action, "not_yours", settling.status)
    if action not in ACTIONS[settling.status]:
        may = allowed(settling, actor.role)
        raise SettlementRefused(action, "wrong_state", settling.status, may)


def open_settling(
    opening: Opening, actor: Actor, now: datetime
) -> tuple[Settling, tuple[SettlementRecorded, ...]]:
    """A new settlement and the first events of its life. One that its partner opens is closed at once (API.md)."""
    until = (
        opening.calendar.due(now, opening.policy.settlement.select_within)
        if opening.automatic
        else None
    )
    settling = Settling(
        opening=opening, status=SettlementStatus.OPEN, picked=(), opened_at=now, told=True
    )
    events: list[SettlementEvent] = [
        Opened(sp_ids=opening.picked, left_out=opening.left_out, selectable_until=until)
    ]
    if not opening.automatic:
        events.append(SelectionClosed())
    return _record(settling, events, author(settling, actor, in_its_place=True), now)


def live(
    settling: Settling, command: Command, actor: Actor, now: datetime
) -> tuple[Settling, tuple[SettlementRecorded, ...]]:
    """Take a command: the settlement after it, and what was recorded. What time alone had brought comes first.

    Raises:
        SettlementRefused: not allowed in this state, not to this actor.
    """
    settling, passed = _record(settling, _pass_time(settling, now), "system", now)
    if isinstance(command, PassTime):
        return settling, passed
    if isinstance(command, ExternalCommand):
        authorise(settling, command.type, actor)
    by = author(settling, actor, in_its_place=isinstance(command, Select | Close | TakeVerdict))
    settling, recorded = _record(settling, decide(settling, command, now), by, now)
    return settling, passed + recorded


def decide(settling: Settling, command: Command, now: datetime) -> list[SettlementEvent]:
    """What a command that is allowed does to a settlement at `now`: the events, in their order.

    Raises:
        SettlementRefused: an answer of the outside that the state does not wait for.
    """
    match command:
        case PassTime():
            return _pass_time(settling, now)
        case Select():
            if settling.picked == command.sp_ids and settling.left_out == command.left_out:
                return []
            return [Selected(sp_ids=command.sp_ids, left_out=command.left_out)]
        case Close():
            return [SelectionClosed()]
        case NoteInvoice():
            return [InvoiceNoted(note=command.note)]
        case VoidSettlement():
            return [Voided(reason=command.reason)]
        case TakeClaims():
            _expect(settling, command.type, SettlementStatus.CLOSING)
            refused = {left.sp_id for left in command.refused}
            claimed = sum(sp_id not in refused for sp_id in settling.picked)
            events: list[SettlementEvent] = [
                OrdersClaimed(
                    claimed=claimed, left_out=command.refused, corrections=command.corrections
                )
            ]
            if not claimed and not command.corrections:
                events.append(NothingToBill())
            return events
        case TakeStatement():
            _expect(settling, command.type, SettlementStatus.CLOSING)
            due = None
            if command.statement.total > 0:
                opening = settling.opening
                due = opening.calendar.due(now, opening.policy.settlement.invoice_within)
            return [StatementIssued(statement=command.statement, invoice_due=due)]
        case TakeVerdict():
            _expect(settling, "invoice", SettlementStatus.ISSUED)
            if command.verdict.accepted:
                return [InvoiceAccepted(paper_id=command.paper_id)]
            return [InvoiceReturned(paper_id=command.paper_id, verdict=command.verdict)]
        case NoteReleased():
            return [OrdersReleased(orders=len(settling.picked) if settling.claimed else 0)]
        case NoteUndelivered():
            return [MailUndelivered(key=command.key, mail=command.mail)]


def _expect(settling: Settling, action: str, status: SettlementStatus) -> None:
    if settling.status is not status:
        raise SettlementRefused(action, "wrong_state", settling.status)


def _pass_time(settling: Settling, now: datetime) -> list[SettlementEvent]:
    match settling.status:
        case SettlementStatus.OPEN:
            events: list[SettlementEvent] = []
            if not settling.told and announce_at(settling) <= now:
                events.append(Announced())
            if settling.selectable_until is not None and settling.selectable_until <= now:
                events.append(SelectionClosed())
            return events
        case SettlementStatus.ISSUED:
            if settling.next_reminder is None or now < settling.next_reminder:
                return []
            level = settling.reminders + 1
            return [InvoiceReminded(level=level, last=level >= _most_reminders(settling))]
        case _:
            return []


def announce_at(settling: Settling) -> datetime:
    """When the partner is told of a settlement that was opened for it: in office hours (DESIGN 3)."""
    opening = settling.opening
    if not opening.policy.escalation.office_hours_only:
        return settling.opened_at
    return opening.calendar.next_office(settling.opened_at)


def next_instant(settling: Settling) -> datetime | None:
    """When time does something next; None if it does nothing."""
    match settling.status:
        case SettlementStatus.OPEN:
            instants = [settling.selectable_until]
            if not settling.told:
                instants.append(announce_at(settling))
            return min((at for at in instants if at is not None), default=None)
        case SettlementStatus.ISSUED:
            return settling.next_reminder
        case _:
            return None


def _most_reminders(settling: Settling) -> int:
    return settling.opening.policy.escalation.repeats


def _record(
    settling: Settling, events: Iterable[SettlementEvent], by: str, now: datetime
) -> tuple[Settling, tuple[SettlementRecorded, ...]]:
    recorded = []
    for event in events:
        entry = SettlementRecorded(seq=settling.version + 1, at=now, by=by, event=event)
        settling = evolve(settling, entry)
        recorded.append(entry)
    return settling, tuple(recorded)


def evolve(settling: Settling, recorded: SettlementRecorded) -> Settling:
    """The settlement after something happened to it."""
    event, at = recorded.event, recorded.at
    changes: dict[str, object] = {}
    match event:
        case Opened():
            changes = {
                "picked": event.sp_ids,
                "left_out": event.left_out,
                "selectable_until": event.selectable_until,
                "told": event.selectable_until is None,
            }
        case Announced():
            changes = {"told": True}
        case Selected():
            changes = {"picked": event.sp_ids, "left_out": event.left_out}
        case SelectionClosed():
            changes = {"status": SettlementStatus.CLOSING, "told": True}
        case OrdersClaimed():
            refused = {left.sp_id for left in event.left_out}
            changes = {
                "claimed": True,
                "picked": tuple(sp_id for sp_id in settling.picked if sp_id not in refused),
                "left_out": (*settling.left_out, *event.left_out),
                "corrections": event.corrections,
            }
        case NothingToBill():
            changes = {"status": SettlementStatus.VOID, "released": True, "ended_at": at}
        case StatementIssued():
            changes = {
                "status": SettlementStatus.ISSUED,
                "statement": event.statement,
                "issued_at": at,
                "invoice_due": event.invoice_due,
                "next_reminder": event.invoice_due if _most_reminders(settling) else None,
            }
        case InvoiceReminded():
            opening = settling.opening
            changes = {
                "reminders": event.level,
                "next_reminder": None
                if event.last
                else opening.calendar.due(at, opening.policy.settlement.invoice_within),
            }
        case InvoiceReturned():
            changes = {"last_verdict": event.verdict}
        case InvoiceAccepted():
            changes = {
                "status": SettlementStatus.INVOICED,
                "invoice_paper_id": event.paper_id,
                "last_verdict": Verdict(accepted=True),
                "next_reminder": None,
                "ended_at": at,
            }
        case InvoiceNoted():
            changes = {"status": SettlementStatus.INVOICED, "next_reminder": None, "ended_at": at}
        case Voided():
            changes = {
                "status": SettlementStatus.VOID,
                "voided": True,
                "next_reminder": None,
                "ended_at": at,
            }
        case OrdersReleased():
            changes = {"released": True}
        case MailUndelivered():
            pass
    return settling.model_copy(update={**changes, "version": recorded.seq})
