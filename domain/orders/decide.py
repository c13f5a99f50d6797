"""What each command does to an order: the events that follow, or a refusal."""

from datetime import datetime
from typing import assert_never

from domain import rules
from domain.errors import InvalidCommand
from domain.orders.access import actions, check_state, rule_of
from domain.orders.appointments import set_appointment
from domain.orders.catalogue import checklist
from domain.orders.commands import (
    Accept,
    AdoptRules,
    Bill,
    Cancel,
    Command,
    ConfirmExecution,
    ConfirmRequirements,
    DecideReview,
    Decline,
    LogContact,
    NoteSeen,
    PaymentReceived,
    Reassign,
    RejectRequirements,
    Reopen,
    ReportNotExecuted,
    ReportProblem,
    Resume,
    SetAppointment,
    StretchDeadlines,
    Unassign,
    Undo,
    WithdrawProblem,
    action_of,
)
from domain.orders.errors import Refused
from domain.orders.events import (
    Accepted,
    Billed,
    CalendarRenewed,
    Cancelled,
    CommandRefused,
    ContactLogged,
    Declined,
    Event,
    ExecutionTakenBack,
    HoldEnded,
    MailUndelivered,
    OrderSeen,
    Paid,
    PartnerNotified,
    ProblemReported,
    ProblemWithdrawn,
    Reassigned,
    RequirementsConfirmed,
    RulesAdopted,
    Transmitted,
    Unassigned,
)
from domain.orders.execution import confirm_execution, undo
from domain.orders.goods import take_notice, with_kept_notices
from domain.orders.internal import (
    ConfirmTransmission,
    NoteRefusal,
    NoteUndelivered,
    PassTime,
    RenewCalendar,
)
from domain.orders.order import Order, Status
from domain.orders.passing_time import pass_time
from domain.orders.problems import (
    decide_review,
    reject_requirements,
    report_not_executed,
    report_problem,
)
from domain.orders.shipment import GoodsReceived, GoodsShipped
from domain.orders.stretching import stretches


def decide(order: Order, command: Command, now: datetime) -> list[Event]:
    """The events that a command causes at `now`, in their order; none if it changes nothing.

    Raises:
        Refused: this state does not allow it. The exception says what is allowed.
        InvalidCommand: the state allows it, but not with these values. The exception names the field.
        NotUnderstood: it asks for rules that this process does not know.
    """
    rule = rule_of(order, command)
    if rule is not None and not rule.in_any_state:
        check_state(order, action_of(command))
    match command:
        case PaymentReceived():
            return [Paid()] if order.awaits_payment else []
        case Accept():
            return [Accepted()]
        case LogContact():
            return [ContactLogged(outcome=command.outcome, note=command.note)]
        case ConfirmRequirements():
            return _confirm_requirements(order, command, now)
        case RejectRequirements():
            return reject_requirements(order, command)
        case GoodsShipped():
            return take_notice(order, command, now)
        case GoodsReceived():
            return _goods_received(order, command, now)
        case SetAppointment():
            return set_appointment(order, command, now)
        case ConfirmExecution():
            return confirm_execution(order, command, now)
        case ReportNotExecuted():
            return report_not_executed(command)
        case ReportProblem():
            return report_problem(order, command, now)
        case WithdrawProblem():
            return [ProblemWithdrawn()]
        case Decline():
            if command.reason == "other" and not command.note:
                raise InvalidCommand("note", "other_needs_note")
            return [Declined(reason=command.reason, note=command.note)]
        case Resume():
            return [HoldEnded()]
        case Reopen():
            return [ExecutionTakenBack(reason=command.reason)]
        case Undo():
            return undo(order, now)
        case DecideReview():
            return decide_review(order, command, now)
        case Cancel():
            return [Cancelled(reason=command.reason)]
        case Reassign():
            return _reassign(order, command)
        case Bill():
            return _bill(order, command)
        case Unassign():
            return _unassign(order, command)
        case NoteSeen():
            return _note_seen(order, command)
        case StretchDeadlines():
            return [] if order.rules < 2 else [*stretches(order, command.begin, command.end)]
        case AdoptRules():
            return _adopt_rules(order, command)
        case PassTime():
            return pass_time(order, now)
        case ConfirmTransmission():
            return _confirm_transmission(order, command)
        case NoteUndelivered():
            return [MailUndelivered(key=command.key, mail=command.mail)]
        case NoteRefusal():
            return [
                CommandRefused(action=command.refused, code=command.code, sender=command.sender)
            ]
        case RenewCalendar():
            return [CalendarRenewed(calendar=command.calendar)]
        case _:
            assert_never(command)


def _confirm_requirements(order: Order, command: ConfirmRequirements, now: datetime) -> list[Event]:
    asked = checklist(order.intake.placement.service.code)
    for item in command.checklist:
        if item not in asked:
            raise InvalidCommand(f"checklist.{item}", "item_not_asked")
    for item in asked:
        answer = command.checklist.get(item)
        if answer is None:
            raise InvalidCommand(f"checklist.{item}", "item_missing")
        if answer == "no":
            raise InvalidCommand(f"checklist.{item}", "item_is_no")
        if answer not in ("yes", "not_applicable"):
            raise InvalidCommand(f"checklist.{item}", "item_answer")
    confirmed = RequirementsConfirmed(
        checklist={item: command.checklist[item] for item in asked}, note=command.note
    )
    return with_kept_notices(order, confirmed, now)


def _goods_received(order: Order, command: GoodsReceived, now: datetime) -> list[Event]:
    received = take_notice(order, command, now)
    underway = (
        order.shipment is not None
    )  # without a shipment the notice is kept, with the damage in it
    if command.damaged and underway and "report_problem" in actions(order):
        return [*received, ProblemReported(reason="damaged_on_receipt", note="")]
    return received


def _reassign(order: Order, command: Reassign) -> list[Event]:
    has_it = order.status is not Status.UNASSIGNED
    if has_it and command.partner.partner_id == order.partner.partner_id:
        raise InvalidCommand("partner_id", "same_partner")
    return [
        Reassigned(
            from_partner_id=order.partner.partner_id,
            partner=command.partner,
            calendar=command.calendar,
            reason=command.reason,
        )
    ]


def _bill(order: Order, command: Bill) -> list[Event]:
    if order.settlement_id == command.settlement_id:
        return []
    if order.settlement_id is not None or command.settlement_id in order.freed_from:
        # Another settlement has billed the order, or this one was voided and its claim comes late.
        raise Refused(order, "bill", "other_settlement", actions(order))
    check_state(order, "bill")
    return [Billed(settlement_id=command.settlement_id)]


def _adopt_rules(order: Order, command: AdoptRules) -> list[Event]:
    rules.check(command.version)
    if command.version == order.rules:
        return []
    if command.version < order.rules:
        raise InvalidCommand("version", "older_rules")
    if order.status.is_final:
        raise Refused(order, "adopt_rules", "final", actions(order))
    policy = order.policy.with_later_keys(command.policy, order.rules)
    return [
        RulesAdopted(version=command.version, policy=None if policy == order.policy else policy)
    ]


def _confirm_transmission(order: Order, command: ConfirmTransmission) -> list[Event]:
    if order.rules < 2:
        if order.transmitted_at is not None or order.sending_since is None:
            return []
        return [Transmitted(partner_id=order.partner.partner_id)]
    to_former = command.partner_id not in (None, order.partner.partner_id)
    if to_former or order.notified_at is not None:
        return []
    if order.transmitted_at is not None:
        return [PartnerNotified()]
    if order.status is Status.IN_TRANSMISSION and order.sending_since is not None:
        # The order adopted these rules while it was being sent.
        return [Transmitted(partner_id=order.partner.partner_id), PartnerNotified()]
    return []


def _unassign(order: Order, command: Unassign) -> list[Event]:
    if order.rules < 2:
        return []
    ended = order.status.is_final or order.status in (Status.COMPLETED, Status.UNASSIGNED)
    if ended or order.partner.partner_id != command.partner_id:
        return []
    return [Unassigned(reason="partner_ended")]


def _note_seen(order: Order, command: NoteSeen) -> list[Event]:
    unseen = order.transmitted_at is not None and order.noticed_at is None
    if not unseen or order.partner.partner_id != command.partner_id:
        return []
    return [OrderSeen()]
