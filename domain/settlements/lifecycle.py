"""The life of a settlement: `decide` what a command does, `evolve` it by what happened (docs/rules.md).

`settlement.py` says what it adds up to. Here orders are SP-IDs alone, so that thousands of them fit into a workflow;
their lines are in the records.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from domain import digest, rules
from domain.actors import Actor
from domain.errors import NotUnderstood
from domain.orders.events import UnknownEvent
from domain.policy import Policy, SettlementPolicy
from domain.settlements.access import action_of, author
from domain.settlements.access import allowed as allowed
from domain.settlements.access import authorise as authorise
from domain.settlements.commands import (
    AdoptRules,
    Close,
    Command,
    NoteInvoice,
    NoteReleased,
    NoteUndelivered,
    Opening,
    PassTime,
    Select,
    Selection,
    Statement,
    TakeClaims,
    TakeStatement,
    TakeVerdict,
    VoidSettlement,
)
from domain.settlements.errors import SettlementRefused
from domain.settlements.events import (
    Announced,
    InvoiceAccepted,
    InvoiceNoted,
    InvoiceReminded,
    InvoiceReturned,
    MailUndelivered,
    NothingToBill,
    Opened,
    OrdersClaimed,
    OrdersReleased,
    RulesAdopted,
    Selected,
    SelectionClosed,
    SettlementEvent,
    SettlementRecorded,
    StatementIssued,
    Voided,
)
from domain.settlements.invoicing import Verdict
from domain.settlements.settlement import (
    Amount,
    CorrectionLine,
    LeftOut,
    Line,
    Settlement,
    SettlementStatus,
    in_order,
)
from domain.values import Value


class Settling(Value):
    """A settlement as it stands. `picked` are its orders: selected ones until `claimed`, then those it billed.

    `opening` is without the orders that it came with: they are in the first event. `fees`: what the claimed orders come
    to by their own word. `told` is whether the partner knows of a settlement that was opened for it; `voided`, whether
    it was taken back (one that had nothing to bill is void as well); `released`, whether no order is billed by a void
    one any more. `digest`: of its events (domain/digest.py); empty in one that was stored before there were digests.
    `rules` and `later_policy` are as those of an order.
    """

    opening: Opening
    rules: int = 1
    later_policy: Policy | None = None
    status: SettlementStatus
    version: int = 0
    digest: str = ""
    picked: Selection
    left_out: tuple[LeftOut, ...] = ()
    claimed: bool = False
    fees: Amount | None = None
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
    def policy(self) -> Policy:
        """The policy pinned into it."""
        return self.later_policy or self.opening.policy

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

    @property
    def can_be_drafted(self) -> bool:
        """Whether a draft of the partner's invoice can be made: it is awaited, and there is something to pay."""
        return self.status is SettlementStatus.ISSUED and self.invoice_due is not None


def account_of(settling: Settling, lines: Iterable[Line]) -> Settlement:
    """What a settlement adds up to, with the lines of the orders that it has picked, or billed."""
    opening = settling.opening
    return Settlement(
        settlement_id=settling.settlement_id,
        partner_id=opening.partner.partner_id,
        month=opening.month,
        status=settling.status,
        lines=in_order(lines),
        corrections=settling.corrections,
        left_out=settling.left_out,
        vat_rates=opening.vat_rates,
        opened_at=settling.opened_at,
        selectable_until=settling.selectable_until,
        issued_at=settling.issued_at,
        invoice_due=settling.invoice_due,
        ended_at=settling.ended_at,
    )


# --- what commands do --------------------------------------------------------------------------------------------


def begin(opening: Opening, at: datetime) -> Settling:
    """The settlement before its first event."""
    return Settling(
        opening=opening.model_copy(update={"picked": (), "left_out": ()}),
        rules=opening.rules,
        status=SettlementStatus.OPEN,
        picked=(),
        opened_at=at,
    )


def open_settling(
    opening: Opening, actor: Actor, now: datetime
) -> tuple[Settling, tuple[SettlementRecorded, ...]]:
    """A new settlement and the first events of its life. One that its partner opens is closed at once.

    Raises:
        NotUnderstood: it is opened under rules that this process does not know.
    """
    rules.check(opening.rules)
    within = opening.policy.settlement.select_within
    until = opening.calendar.due(now, within) if opening.automatic else None
    settling = begin(opening, now)
    events: list[SettlementEvent] = [
        Opened(sp_ids=opening.picked, left_out=opening.left_out, selectable_until=until)
    ]
    if not opening.automatic:
        events.append(SelectionClosed())
    return _record(settling, events, author(settling, None, actor), now)


def live(
    settling: Settling, command: Command, actor: Actor, now: datetime
) -> tuple[Settling, tuple[SettlementRecorded, ...]]:
    """Take a command: the settlement after it, and what was recorded. What time alone had brought comes first.

    Raises:
        SettlementRefused: not allowed in this state, not to this actor.
        NotUnderstood: it is under rules, or shall adopt rules, that this process does not know.
    """
    rules.check(settling.rules)
    settling, passed = _record(settling, decide(settling, PassTime(), now), "system", now)
    if isinstance(command, PassTime):
        return settling, passed
    action = action_of(command)
    if action is not None:
        authorise(settling, action, actor, now)
    by = author(settling, command, actor)
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
            _expect(settling, command, not settling.claimed, SettlementStatus.CLOSING)
            return _claimed(settling, command)
        case TakeStatement():
            _expect(settling, command, settling.claimed, SettlementStatus.CLOSING)
            return [
                StatementIssued(
                    statement=command.statement,
                    invoice_due=_invoice_due(settling, now)
                    if command.statement.total > 0
                    else None,
                )
            ]
        case TakeVerdict():
            if command.verdict.accepted:
                return [InvoiceAccepted(paper_id=command.paper_id)]
            return [InvoiceReturned(paper_id=command.paper_id, verdict=command.verdict)]
        case NoteReleased():
            _expect(settling, command, not settling.released, SettlementStatus.VOID)
            return [OrdersReleased(orders=len(settling.picked))]
        case AdoptRules():
            return _adopted(settling, command)
        case NoteUndelivered():
            return [MailUndelivered(key=command.key, mail=command.mail)]


def _expect(settling: Settling, command: Command, awaited: bool, status: SettlementStatus) -> None:
    if settling.status is not status or not awaited:
        raise SettlementRefused(command.type, "wrong_state", settling.status)


def _adopted(settling: Settling, command: AdoptRules) -> list[SettlementEvent]:
    rules.check(command.version)
    if command.version == settling.rules:
        return []
    if command.version < settling.rules:
        raise SettlementRefused(command.type, "older_rules", settling.status)
    if settling.status.is_final:
        raise SettlementRefused(command.type, "wrong_state", settling.status)
    policy = settling.policy.with_later_keys(command.policy, settling.rules)
    known = policy == settling.policy
    return [RulesAdopted(version=command.version, policy=None if known else policy)]


def _claimed(settling: Settling, answers: TakeClaims) -> list[SettlementEvent]:
    refused = {left.sp_id for left in answers.refused}
    claimed = sum(sp_id not in refused for sp_id in settling.picked)
    events: list[SettlementEvent] = [
        OrdersClaimed(
            claimed=claimed,
            left_out=answers.refused,
            corrections=answers.corrections,
            fees=answers.fees,
        )
    ]
    if not claimed and not answers.corrections:
        events.append(NothingToBill())
    return events


# --- time --------------------------------------------------------------------------------------------------------


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


def announce_at(settling: Settling) -> datetime:
    """When the partner is told, in office hours, of a settlement that was opened for it."""
    return _in_office(settling, settling.opened_at)


def _pass_time(settling: Settling, now: datetime) -> list[SettlementEvent]:
    match settling.status:
        case SettlementStatus.OPEN:
            return _selection_passes(settling, now)
        case SettlementStatus.ISSUED:
            if settling.next_reminder is None or now < settling.next_reminder:
                return []
            level = settling.reminders + 1
            return [InvoiceReminded(level=level, last=level >= _most_reminders(settling))]
        case _:
            return []


def _selection_passes(settling: Settling, now: datetime) -> list[SettlementEvent]:
    events: list[SettlementEvent] = []
    until, tell_at = settling.selectable_until, announce_at(settling)
    if not settling.told and tell_at <= now:
        if until is not None and tell_at < until <= now:
            # Nobody was there to tell it: what is late because of somebody else does not count against the partner.
            until = settling.opening.calendar.due(now, _policy(settling).select_within)
        events.append(Announced(selectable_until=until))
    if until is not None and until <= now:
        events.append(SelectionClosed())
    return events


def _invoice_due(settling: Settling, since: datetime) -> datetime:
    """When an invoice that is awaited since then is missed, at first and again."""
    return settling.opening.calendar.due(since, _policy(settling).invoice_within)


def _most_reminders(settling: Settling) -> int:
    """As of an order's deadline: one when it is missed, then so many repetitions."""
    return settling.policy.escalation.repeats + 1


def _in_office(settling: Settling, instant: datetime) -> datetime:
    if not settling.policy.escalation.office_hours_only:
        return instant
    return settling.opening.calendar.next_office(instant)


def _policy(settling: Settling) -> SettlementPolicy:
    return settling.policy.settlement


# --- what each event changes -------------------------------------------------------------------------------------


def _record(
    settling: Settling, events: Iterable[SettlementEvent], by: str, now: datetime
) -> tuple[Settling, tuple[SettlementRecorded, ...]]:
    recorded = []
    for event in events:
        entry = SettlementRecorded(seq=settling.version + 1, at=now, by=by, event=event)
        settling = evolve(settling, entry)
        recorded.append(entry)
    return settling, tuple(recorded)


def check_understood(settling: Settling) -> None:
    """Check that this process may go on with a settlement that another one left.

    Raises:
        NotUnderstood: it is in a state, or under rules, that only a newer process knows.
    """
    rules.check(settling.rules)
    if not settling.status.is_known:
        raise NotUnderstood(f"state {settling.status}")
    if not rules.is_known(settling.rules):
        raise NotUnderstood(f"rules version {settling.rules}")


def fold(opening: Opening, events: Iterable[SettlementRecorded]) -> Settling:
    """The settlement that these events, all of its life in their order, make."""
    events = tuple(events)
    settling = begin(opening, events[0].at)
    for recorded in events:
        settling = evolve(settling, recorded)
    return settling


def evolve(settling: Settling, recorded: SettlementRecorded) -> Settling:
    """The settlement after something happened to it."""
    changes = _changes(settling, recorded.event, recorded.at)
    return settling.model_copy(
        update={
            **changes,
            "version": recorded.seq,
            "digest": digest.extend(settling.digest, [recorded]),
        }
    )


def _changes(settling: Settling, event: SettlementEvent, at: datetime) -> dict[str, Any]:
    match event:
        case Opened():
            return {
                "picked": event.sp_ids,
                "left_out": event.left_out,
                "selectable_until": event.selectable_until,
                "told": not settling.opening.automatic,
            }
        case Announced():
            return {"told": True, "selectable_until": event.selectable_until}
        case Selected():
            return {"picked": event.sp_ids, "left_out": event.left_out}
        case SelectionClosed():
            return {"status": SettlementStatus.CLOSING, "told": True}
        case OrdersClaimed():
            refused = {left.sp_id for left in event.left_out}
            return {
                "claimed": True,
                "picked": tuple(sp_id for sp_id in settling.picked if sp_id not in refused),
                "left_out": (*settling.left_out, *event.left_out),
                "corrections": event.corrections,
                "fees": event.fees,
            }
        case NothingToBill():
            return {"status": SettlementStatus.VOID, "released": True, "ended_at": at}
        case StatementIssued(invoice_due=due):
            return {
                "status": SettlementStatus.ISSUED,
                "statement": event.statement,
                "issued_at": at,
                "invoice_due": due,
                "next_reminder": None if due is None else _in_office(settling, due),
            }
        case InvoiceReminded():
            again = None if event.last else _in_office(settling, _invoice_due(settling, at))
            return {"reminders": event.level, "next_reminder": again}
        case InvoiceReturned():
            return {"last_verdict": event.verdict}
        case InvoiceAccepted():
            return {
                **_ended(SettlementStatus.INVOICED, at),
                "invoice_paper_id": event.paper_id,
                "last_verdict": Verdict(accepted=True),
            }
        case InvoiceNoted():
            return _ended(SettlementStatus.INVOICED, at)
        case Voided():
            # What claimed nothing has nothing to set free.
            return {
                **_ended(SettlementStatus.VOID, at),
                "voided": True,
                "released": not settling.claimed,
            }
        case OrdersReleased():
            return {"released": True}
        case RulesAdopted():
            return {
                "rules": event.version,
                "later_policy": event.policy or settling.later_policy,
            }
        case MailUndelivered():
            return {}
        case UnknownEvent():
            raise NotUnderstood(f"event {event.type}")


def _ended(status: SettlementStatus, at: datetime) -> dict[str, Any]:
    return {"status": status, "next_reminder": None, "ended_at": at}
