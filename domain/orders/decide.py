"""What each command does to an order: the events that follow, or a refusal."""

from datetime import datetime, timedelta
from typing import assert_never

from domain import rules
from domain.errors import InvalidCommand
from domain.orders import deadlines
from domain.orders.access import actions, check_state, rule_of
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
    LogContact,
    PaymentReceived,
    Reassign,
    RejectRequirements,
    ReportNotExecuted,
    SetAppointment,
    action_of,
)
from domain.orders.errors import Refused
from domain.orders.events import (
    Accepted,
    AppointmentMoved,
    AppointmentSet,
    Billed,
    CalendarRenewed,
    Cancelled,
    CommandRefused,
    ContactLogged,
    DeadlineMissed,
    Escalated,
    Event,
    ExecutionConfirmed,
    MailUndelivered,
    NotExecuted,
    Paid,
    Reassigned,
    ReminderDue,
    RequirementsConfirmed,
    RequirementsRejected,
    ReviewDecided,
    RulesAdopted,
    TransmissionStarted,
    Transmitted,
)
from domain.orders.goods import take_notice, with_kept_notices
from domain.orders.internal import (
    ConfirmTransmission,
    NoteRefusal,
    NoteUndelivered,
    PassTime,
    RenewCalendar,
)
from domain.orders.order import GoodsReceived, GoodsShipped, Order, Status

LONGEST_APPOINTMENT = timedelta(days=7)
FARTHEST_APPOINTMENT = timedelta(days=366)


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
            return [Paid()] if order.status is Status.AWAITING_PAYMENT else []
        case Accept():
            return [Accepted()]
        case LogContact():
            return [ContactLogged(outcome=command.outcome, note=command.note)]
        case ConfirmRequirements():
            return _confirm_requirements(order, command, now)
        case RejectRequirements():
            return [RequirementsRejected(reason=command.reason, note=command.note)]
        case GoodsShipped() | GoodsReceived():
            return take_notice(order, command, now)
        case SetAppointment():
            return _set_appointment(order, command, now)
        case ConfirmExecution():
            return _confirm_execution(order, command, now)
        case ReportNotExecuted():
            return _report_not_executed(command)
        case DecideReview():
            return _decide_review(order, command, now)
        case Cancel():
            return [Cancelled(reason=command.reason)]
        case Reassign():
            return _reassign(order, command)
        case Bill():
            return _bill(order, command)
        case AdoptRules():
            return _adopt_rules(order, command)
        case PassTime():
            return _pass_time(order, now)
        case ConfirmTransmission():
            if order.transmitted_at is not None or order.sending_since is None:
                return []
            return [Transmitted(partner_id=order.partner.partner_id)]
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


def _set_appointment(order: Order, command: SetAppointment, now: datetime) -> list[Event]:
    if command.end <= command.start:
        raise InvalidCommand("end", "end_before_start")
    if command.end - command.start > LONGEST_APPOINTMENT:
        raise InvalidCommand("end", "appointment_too_long")
    if command.start > now + FARTHEST_APPOINTMENT:
        raise InvalidCommand("start", "appointment_too_far")
    shipment = order.shipment
    sent = shipment and min(at for at in (shipment.shipped_at, shipment.received_at, now) if at)
    local = order.calendar.local
    if sent and local(command.start).date() < local(sent).date():
        raise InvalidCommand("start", "appointment_before_goods")
    if order.appointment is None:
        return [AppointmentSet(start=command.start, end=command.end)]
    if (command.start, command.end) == (order.appointment.start, order.appointment.end):
        return []
    if not command.reason:
        raise InvalidCommand("reason", "move_needs_reason")
    return [AppointmentMoved(start=command.start, end=command.end, reason=command.reason)]


def _confirm_execution(order: Order, command: ConfirmExecution, now: datetime) -> list[Event]:
    local = order.calendar.local
    today = local(now).date()
    executed_on = command.executed_on or today
    if executed_on > today:
        raise InvalidCommand("executed_on", "in_future")
    if order.placed_at and executed_on < local(order.placed_at).date():
        raise InvalidCommand("executed_on", "before_order")
    return [ExecutionConfirmed(executed_on=executed_on, note=command.note)]


def _report_not_executed(command: ReportNotExecuted) -> list[Event]:
    if command.reason == "other" and not command.note:
        raise InvalidCommand("note", "other_needs_note")
    return [NotExecuted(reason=command.reason, note=command.note)]


def _decide_review(order: Order, command: DecideReview, now: datetime) -> list[Event]:
    if order.status is not Status.UNDER_REVIEW:
        # The check of the state let the decision `cancel` pass: the command `Cancel` is an action of the same name.
        raise Refused(order, command.type, "wrong_state", actions(order))
    executed_on = None
    if command.decision == "accept_as_executed":
        ended = min(order.appointment.end, now) if order.appointment else now
        executed_on = order.calendar.local(ended).date()
    decided = ReviewDecided(decision=command.decision, note=command.note, executed_on=executed_on)
    if command.decision == "reship":
        return with_kept_notices(order, decided, now)
    return [decided]


def _reassign(order: Order, command: Reassign) -> list[Event]:
    if command.partner.partner_id == order.partner.partner_id:
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


def _pass_time(order: Order, now: datetime) -> list[Event]:
    events: list[Event] = []
    held = deadlines.hold_until(order)
    if held is not None and held <= now:
        events.append(TransmissionStarted())
    for deadline in order.open_deadlines:
        kind, due = deadline.kind, deadline.due
        if now >= due and not deadline.missed:
            events.append(DeadlineMissed(kind=kind, due=due))
        elif not deadline.missed and not deadline.reminded:
            reminder = deadlines.reminder_at(order, deadline)
            if reminder is not None and reminder <= now:
                events.append(ReminderDue(kind=kind, due=due))
        if now >= due:
            # If no worker was up, several levels may be due; one mail covers them all.
            level = max(
                (n for n, at in deadlines.escalations(order, deadline) if at <= now), default=0
            )
            if level > deadline.level:
                events.append(Escalated(kind=kind, due=due, level=level))
    return events
