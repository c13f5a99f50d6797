"""What each command does to a settlement: the events that follow, or a refusal."""

from datetime import datetime
from typing import assert_never

from domain import rules
from domain.settlements.commands import (
    AcceptHeldInvoice,
    AdoptRules,
    ApproveInvoice,
    Close,
    Command,
    NoteInvoice,
    NotePaid,
    NoteReleased,
    NoteUndelivered,
    PassTime,
    RefuseHeldInvoice,
    ReturnInvoice,
    Select,
    TakeClaims,
    TakeStatement,
    TakeVerdict,
    VoidSettlement,
)
from domain.settlements.deadlines import announce_at, invoice_due, most_reminders
from domain.settlements.errors import SettlementRefused
from domain.settlements.events import (
    Announced,
    InvoiceAccepted,
    InvoiceApproved,
    InvoiceHeld,
    InvoiceNoted,
    InvoicePaid,
    InvoiceReminded,
    InvoiceReturned,
    InvoiceSentBack,
    MailUndelivered,
    NothingToBill,
    OrdersClaimed,
    OrdersReleased,
    RulesAdopted,
    Selected,
    SelectionClosed,
    SettlementEvent,
    StatementIssued,
    Voided,
)
from domain.settlements.facts import check_paid_on
from domain.settlements.settlement import HeldInvoice, Settlement, SettlementStatus


def decide(settlement: Settlement, command: Command, now: datetime) -> list[SettlementEvent]:
    """The events that an authorised command causes at `now`, in their order; none if it changes nothing.

    Raises:
        SettlementRefused: this state does not await the result of the step, or the settlement cannot adopt the rules.
        InvalidCommand: the day of a payment is not possible.
        NotUnderstood: it asks for rules that this process does not know.
    """
    match command:
        case PassTime():
            return _pass_time(settlement, now)
        case Select():
            same = settlement.picked == command.sp_ids and settlement.left_out == command.left_out
            if same and not command.again:
                return []
            return [Selected(sp_ids=command.sp_ids, left_out=command.left_out)]
        case Close():
            return [SelectionClosed()]
        case NoteInvoice():
            return [InvoiceNoted(note=command.note)]
        case ApproveInvoice():
            return [InvoiceApproved()]
        case ReturnInvoice():
            return [
                InvoiceSentBack(reason=command.reason, invoice_due=invoice_due(settlement, now))
            ]
        case NotePaid():
            check_paid_on(settlement, command.paid_on, now)
            return [InvoicePaid(paid_on=command.paid_on, reference=command.reference)]
        case VoidSettlement():
            return [Voided(reason=command.reason)]
        case TakeClaims():
            _expect(settlement, command, not settlement.claimed, SettlementStatus.CLOSING)
            return _take_claims(settlement, command)
        case TakeStatement():
            _expect(settlement, command, settlement.claimed, SettlementStatus.CLOSING)
            to_pay = command.statement.total > 0
            due = invoice_due(settlement, now) if to_pay else None
            return [StatementIssued(statement=command.statement, invoice_due=due)]
        case TakeVerdict():
            if command.verdict.accepted:
                return [
                    InvoiceAccepted(
                        paper_id=command.paper_id,
                        invoice=command.invoice,
                        total=command.verdict.total,
                    )
                ]
            if command.verdict.accounting_decides and settlement.rules >= 2:
                return [
                    InvoiceHeld(
                        paper_id=command.paper_id, verdict=command.verdict, invoice=command.invoice
                    )
                ]
            return [InvoiceReturned(paper_id=command.paper_id, verdict=command.verdict)]
        case AcceptHeldInvoice():
            held = _held(settlement, command)
            return [
                InvoiceAccepted(
                    paper_id=held.paper_id, invoice=held.invoice, total=held.verdict.total
                )
            ]
        case RefuseHeldInvoice():
            _held(settlement, command)
            due = invoice_due(settlement, now)
            return [InvoiceSentBack(reason=command.reason, invoice_due=due)]
        case NoteReleased():
            _expect(settlement, command, not settlement.released, SettlementStatus.VOID)
            return [OrdersReleased(orders=len(settlement.picked))]
        case AdoptRules():
            return _adopt_rules(settlement, command)
        case NoteUndelivered():
            return [MailUndelivered(key=command.key, mail=command.mail)]
        case _:
            assert_never(command)


def _held(settlement: Settlement, command: AcceptHeldInvoice | RefuseHeldInvoice) -> HeldInvoice:
    """The invoice that accounting decides about, if it is the one that the command names."""
    if settlement.held is None or settlement.held.paper_id != command.paper_id:
        raise SettlementRefused(command.type, "other_invoice", settlement.status)
    return settlement.held


def _expect(
    settlement: Settlement, command: Command, awaited: bool, status: SettlementStatus
) -> None:
    if settlement.status is not status or not awaited:
        raise SettlementRefused(command.type, "wrong_state", settlement.status)


def _adopt_rules(settlement: Settlement, command: AdoptRules) -> list[SettlementEvent]:
    rules.check(command.version)
    if command.version == settlement.rules:
        return []
    if command.version < settlement.rules:
        raise SettlementRefused(command.type, "older_rules", settlement.status)
    if settlement.is_final:
        raise SettlementRefused(command.type, "wrong_state", settlement.status)
    policy = settlement.policy.with_later_keys(command.policy, settlement.rules)
    known = policy == settlement.policy
    return [RulesAdopted(version=command.version, policy=None if known else policy)]


def _take_claims(settlement: Settlement, answers: TakeClaims) -> list[SettlementEvent]:
    refused = {left.sp_id for left in answers.refused}
    claimed = sum(sp_id not in refused for sp_id in settlement.picked)
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


def _pass_time(settlement: Settlement, now: datetime) -> list[SettlementEvent]:
    match settlement.status:
        case SettlementStatus.OPEN:
            return _pass_time_while_open(settlement, now)
        case SettlementStatus.ISSUED:
            if settlement.next_reminder is None or now < settlement.next_reminder:
                return []
            level = settlement.reminders + 1
            return [InvoiceReminded(level=level, last=level >= most_reminders(settlement))]
        case _:
            return []


def _pass_time_while_open(settlement: Settlement, now: datetime) -> list[SettlementEvent]:
    events: list[SettlementEvent] = []
    until, tell_at = settlement.selectable_until, announce_at(settlement)
    if not settlement.told and tell_at <= now:
        if until is not None and tell_at < until <= now:
            # The partner should have been notified earlier. It gets the full time to select from now on.
            within = settlement.policy.settlement.select_within
            until = settlement.opening.calendar.due(now, within)
        events.append(Announced(selectable_until=until))
    if until is not None and until <= now:
        events.append(SelectionClosed())
    return events
