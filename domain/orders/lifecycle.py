"""The life of a service order: `decide` what a command does, `evolve` the order by what happened (docs/rules.md)."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from domain import digest, rules
from domain.actors import Actor, Role
from domain.errors import InvalidCommand, NotUnderstood
from domain.orders import deadlines
from domain.orders.catalogue import checklist
from domain.orders.commands import (
    Accept,
    AdoptRules,
    Bill,
    Cancel,
    Command,
    ConfirmExecution,
    ConfirmRequirements,
    ConfirmTransmission,
    DecideReview,
    LogContact,
    NoteRefusal,
    NoteUndelivered,
    PassTime,
    PaymentReceived,
    Reassign,
    RejectRequirements,
    RenewCalendar,
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
    NoticeKept,
    Paid,
    Placed,
    Reassigned,
    Recorded,
    Released,
    ReminderDue,
    RequirementsConfirmed,
    RequirementsRejected,
    ReviewDecided,
    RulesAdopted,
    ShippingEnded,
    ShippingStarted,
    TransmissionStarted,
    Transmitted,
    UnknownEvent,
)
from domain.orders.order import (
    Appointment,
    GoodsReceived,
    GoodsShipped,
    Intake,
    Notice,
    Order,
    Party,
    Shipment,
    Status,
)
from domain.values import Value

PARTNER_ACTIONS = (
    "accept",
    "log_contact",
    "confirm_requirements",
    "reject_requirements",
    "set_appointment",
    "confirm_execution",
    "report_not_executed",
)
REVIEW_ACTIONS = ("new_appointment", "reship", "cancel", "accept_as_executed")

# The actions that each state allows (docs/rules.md, "The life of an order"). Goods events are also taken where they are
# not listed. By rules version: a later one lists only the states that it changes or adds.
ACTIONS: dict[int, dict[Status, tuple[str, ...]]] = {
    1: {
        Status.AWAITING_PAYMENT: ("payment_received", "cancel"),
        Status.IN_TRANSMISSION: ("cancel",),
        Status.NEW: ("accept", "cancel", "reassign"),
        Status.CHECK_REQUIREMENTS: (
            "log_contact",
            "confirm_requirements",
            "reject_requirements",
            "cancel",
            "reassign",
        ),
        Status.REQUIREMENTS_MET: ("goods_shipped", "goods_received", "cancel"),
        Status.SET_APPOINTMENT: ("log_contact", "set_appointment", "cancel"),
        Status.CONFIRM_EXECUTION: (
            "confirm_execution",
            "set_appointment",
            "report_not_executed",
            "cancel",
        ),
        Status.UNDER_REVIEW: REVIEW_ACTIONS,
        Status.COMPLETED: ("bill",),
        Status.BILLED: (),
        Status.CANCELLED: (),
    },
}

_PARTNER_AND_OPERATIONS: tuple[Role, ...] = ("partner", "operations")
# By rules version, too: a later one lists only the actions that it changes or adds.
ROLES: dict[int, dict[str, tuple[Role, ...]]] = {
    1: {
        **dict.fromkeys(PARTNER_ACTIONS, _PARTNER_AND_OPERATIONS),
        **dict.fromkeys(REVIEW_ACTIONS, ("operations",)),
        "reassign": ("operations",),
        "cancel": ("shop", "operations"),
        "payment_received": ("shop",),
        "goods_shipped": ("warehouse",),
        "goods_received": ("warehouse",),
        "bill": ("system",),
        "adopt_rules": ("operations", "system"),
    },
}

LONGEST_APPOINTMENT = timedelta(days=7)
FARTHEST_APPOINTMENT = timedelta(days=366)


def actions(order: Order) -> tuple[str, ...]:
    """The actions that the order's state allows, whoever takes them."""
    return rules.under(ACTIONS, order.rules).get(order.status, ())


def allowed(order: Order, role: Role) -> tuple[str, ...]:
    """The actions that a caller of this role may take now."""
    may = rules.under(ROLES, order.rules)
    return tuple(action for action in actions(order) if role in may[action])


def authorise(order: Order, command: Command, actor: Actor) -> None:
    """Check that this actor may do this at all, to this order.

    Raises:
        Refused: the role may not, or the order belongs to another partner (it may have been reassigned meanwhile).
    """
    action = action_of(command)
    # Both are called `cancel`: the shop may end an order, but not decide a review.
    roles: tuple[Role, ...] = ("operations",)
    if not isinstance(command, DecideReview):
        roles = rules.under(ROLES, order.rules).get(action, ("system",))
    if actor.role not in roles:
        raise Refused(order, action, "role", allowed(order, actor.role))
    if actor.role == "partner" and actor.partner_id != order.partner.partner_id:
        raise Refused(order, action, "not_yours", ())


def author(order: Order, command: Command, actor: Actor) -> str:
    """Who did it, and for whom, in the words of the timeline."""
    named = f"{actor.role}:{actor.name}" if actor.name else actor.role
    if actor.role == "partner":
        return f"partner:{actor.partner_id}"
    if actor.role == "operations" and action_of(command) in PARTNER_ACTIONS:
        return f"{named} for partner:{order.partner.partner_id}"
    return named


def begin(intake: Intake) -> Order:
    """The order before its first event."""
    prepaid = intake.placement.prepaid
    return Order(
        intake=intake,
        rules=intake.rules,
        partner=intake.partner,
        calendar=intake.calendar,
        status=Status.AWAITING_PAYMENT if prepaid else Status.IN_TRANSMISSION,
    )


def place(intake: Intake, at: datetime) -> tuple[Order, Recorded]:
    """The order as the shop placed it at `at`, and the first event of its life.

    Raises:
        NotUnderstood: it is placed under rules that this process does not know.
    """
    rules.check(intake.rules)
    placed = Recorded(seq=1, at=at, by="shop", event=Placed(prepaid=intake.placement.prepaid))
    return evolve(begin(intake), placed), placed


def check_understood(order: Order) -> None:
    """Check that this process may go on with an order that another one left.

    Raises:
        NotUnderstood: it is in a state, or under rules, that only a newer process knows.
    """
    rules.check(order.rules)
    if not order.status.is_known:
        raise NotUnderstood(f"state {order.status}")
    if not rules.is_known(order.rules):
        raise NotUnderstood(f"rules version {order.rules}")


def fold(intake: Intake, events: Iterable[Recorded]) -> Order:
    """The order that these events, all of its life in their order, make."""
    order = begin(intake)
    for recorded in events:
        order = evolve(order, recorded)
    return order


def live(
    order: Order, command: Command, actor: Actor, now: datetime
) -> tuple[Order, tuple[Recorded, ...]]:
    """Take a command: the order after it, and what was recorded. What time alone had brought by `now` comes first.

    Raises:
        Refused: not allowed in this state, not to this actor.
        InvalidCommand: allowed, but not with these values.
        NotUnderstood: the order is under rules, or shall adopt rules, that this process does not know.
    """
    rules.check(order.rules)
    authorise(order, command, actor)
    recorded: list[Recorded] = []

    def record(event: Event, by: str) -> None:
        nonlocal order
        entry = Recorded(seq=order.version + 1, at=now, by=by, event=event)
        order = evolve(order, entry)
        recorded.append(entry)

    for event in decide(order, PassTime(), now):
        record(event, "system")
    by = author(order, command, actor)
    if not isinstance(command, PassTime):
        try:
            events = decide(order, command, now)
        except Refused as refusal:
            may = allowed(order, actor.role)
            raise Refused(order, refusal.action, refusal.code, may) from None
        for event in events:
            record(event, by)
    return order, tuple(recorded)


def release(order: Order, settlement_id: str, now: datetime) -> tuple[Order, tuple[Recorded, ...]]:
    """Set an order free whose settlement was taken back: it is `completed` again. Twice is once.

    No command: a billed order has no workflow any more that could take one.

    Raises:
        Refused: it is not billed by this settlement.
    """
    if order.status is Status.COMPLETED and settlement_id in order.freed_from:
        return order, ()
    if order.settlement_id != settlement_id:
        raise Refused(order, "release", "wrong_state", actions(order))
    released = Recorded(
        seq=order.version + 1, at=now, by="system", event=Released(settlement_id=settlement_id)
    )
    return evolve(order, released), (released,)


def decide(order: Order, command: Command, now: datetime) -> list[Event]:
    """What a command does to an order at `now`: the events, in their order; none if it was done before.

    Raises:
        Refused: this state does not allow it; it carries what is allowed.
        InvalidCommand: the state allows it, but not with these values; it names the field.
    """
    handler = _HANDLERS[type(command)]
    action = action_of(command)
    if action in rules.under(ROLES, order.rules) and not isinstance(command, _TOLERANT):
        _check_state(order, action)
    events: list[Event] = handler(order, command, now)
    return events


_BEFORE_GOODS = (
    Status.AWAITING_PAYMENT,
    Status.IN_TRANSMISSION,
    Status.NEW,
    Status.CHECK_REQUIREMENTS,
    Status.REQUIREMENTS_MET,
)


def why_not(order: Order, action: str) -> str | None:
    """The code of the refusal (`Refused.code`) that this state has for an action; None if it allows it."""
    if action in actions(order):
        return None
    if order.status.is_final:
        return "final"
    if action == "set_appointment" and order.status in _BEFORE_GOODS:
        return "before_goods"
    return "wrong_state"


def _check_state(order: Order, action: str) -> None:
    code = why_not(order, action)
    if code is not None:
        raise Refused(order, action, code, actions(order))


# --- what each command does --------------------------------------------------------------------------------------


def _payment(order: Order, command: PaymentReceived, now: datetime) -> list[Event]:
    return [Paid()] if order.status is Status.AWAITING_PAYMENT else []


def _pass_time(order: Order, command: PassTime, now: datetime) -> list[Event]:
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
            # Several levels may have come due while nobody was there to act; one mail says it all.
            level = max(
                (n for n, at in deadlines.escalations(order, deadline) if at <= now), default=0
            )
            if level > deadline.level:
                events.append(Escalated(kind=kind, due=due, level=level))
    return events


def _transmission(order: Order, command: ConfirmTransmission, now: datetime) -> list[Event]:
    if order.transmitted_at is not None or order.sending_since is None:
        return []
    return [Transmitted(partner_id=order.partner.partner_id)]


def _accept(order: Order, command: Accept, now: datetime) -> list[Event]:
    return [Accepted()]


def _contact(order: Order, command: LogContact, now: datetime) -> list[Event]:
    return [ContactLogged(outcome=command.outcome, note=command.note)]


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
    return [confirmed, *_apply_kept(order, confirmed, now)]


def _reject_requirements(order: Order, command: RejectRequirements, now: datetime) -> list[Event]:
    return [RequirementsRejected(reason=command.reason, note=command.note)]


def _apply_kept(order: Order, opening: Event, now: datetime) -> list[Event]:
    """What the shipping events that came too early do, now that `opening` makes them fit."""
    events: list[Event] = []
    kept = order.kept
    order = _step(order, opening, now)
    for notice in kept:
        for event in _shipping(order, notice, now):
            order = _step(order, event, now)
            events.append(event)
    return events


def _shipping(order: Order, notice: Notice, now: datetime) -> list[Event]:
    return (
        _goods_shipped(order, notice, now)
        if isinstance(notice, GoodsShipped)
        else _goods_received(order, notice, now)
    )


_EXPECTING_GOODS = (Status.REQUIREMENTS_MET, Status.SET_APPOINTMENT, Status.CONFIRM_EXECUTION)


def _goods_shipped(order: Order, command: GoodsShipped, now: datetime) -> list[Event]:
    if any(command.tracking in shipment.trackings for shipment in order.shipments):
        return []
    shipment = order.shipment
    # During a review it may be the late word of goods whose receipt is known; else it is for the reshipment to come.
    of_this_attempt = shipment is not None and shipment.shipped_at is None
    if order.status in _EXPECTING_GOODS or (
        order.status is Status.UNDER_REVIEW and of_this_attempt
    ):
        return [ShippingStarted(tracking=command.tracking)]
    return [] if command in order.kept else [NoticeKept(notice=command)]


def _goods_received(order: Order, command: GoodsReceived, now: datetime) -> list[Event]:
    shipment = order.shipment
    received_at = min(command.received_at or now, now)
    if shipment is not None:
        of_an_earlier_attempt = shipment.attempt > 1 and received_at <= shipment.requested_at
        if shipment.received_at is not None or of_an_earlier_attempt:
            return []
        if order.status in (*_EXPECTING_GOODS, Status.UNDER_REVIEW):
            # Goods that were there before the requirements were met wait for the partner only from then on.
            counts_from = _counts_from(order, max(received_at, shipment.requested_at), now)
            return [ShippingEnded(received_at=received_at, counts_from=counts_from)]
    if any(isinstance(notice, GoodsReceived) for notice in order.kept):
        return []
    # Kept with the instant at which it was true, however late it is applied.
    return [NoticeKept(notice=GoodsReceived(received_at=received_at))]


def _counts_from(order: Order, received_at: datetime, now: datetime) -> datetime:
    """From when the partner's deadline for the appointment runs: the receipt of the goods, at `received_at`.

    A receipt reported so late that the deadline would be over already counts from its report: what is late because of
    somebody else does not count against the partner (docs/rules.md, "What counts against a partner").
    """
    due = order.calendar.due(received_at, order.policy.deadlines.set_appointment)
    return received_at if due > now else now


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


def _report_not_executed(order: Order, command: ReportNotExecuted, now: datetime) -> list[Event]:
    if command.reason == "other" and not command.note:
        raise InvalidCommand("note", "other_needs_note")
    return [NotExecuted(reason=command.reason, note=command.note)]


def _decide_review(order: Order, command: DecideReview, now: datetime) -> list[Event]:
    if order.status is not Status.UNDER_REVIEW:
        # The decision to cancel, which as a plain `cancel` (with its reason) would be allowed in this state.
        raise Refused(order, command.type, "wrong_state", actions(order))
    executed_on = None
    if command.decision == "accept_as_executed":
        ended = min(order.appointment.end, now) if order.appointment else now
        executed_on = order.calendar.local(ended).date()
    decided = ReviewDecided(decision=command.decision, note=command.note, executed_on=executed_on)
    if command.decision == "reship":
        return [decided, *_apply_kept(order, decided, now)]
    return [decided]


def _cancel(order: Order, command: Cancel, now: datetime) -> list[Event]:
    return [Cancelled(reason=command.reason)]


def _reassign(order: Order, command: Reassign, now: datetime) -> list[Event]:
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


def _bill(order: Order, command: Bill, now: datetime) -> list[Event]:
    if order.settlement_id == command.settlement_id:
        return []
    if order.settlement_id is not None:
        raise Refused(order, "bill", "other_settlement", actions(order))
    if command.settlement_id in order.freed_from:
        # It was taken back: what still comes from it comes late.
        raise Refused(order, "bill", "other_settlement", actions(order))
    _check_state(order, "bill")
    return [Billed(settlement_id=command.settlement_id)]


def _note_undelivered(order: Order, command: NoteUndelivered, now: datetime) -> list[Event]:
    return [MailUndelivered(key=command.key, mail=command.mail)]


def _note_refusal(order: Order, command: NoteRefusal, now: datetime) -> list[Event]:
    return [CommandRefused(action=command.refused, code=command.code, sender=command.sender)]


def _renew_calendar(order: Order, command: RenewCalendar, now: datetime) -> list[Event]:
    return [CalendarRenewed(calendar=command.calendar)]


def _adopt_rules(order: Order, command: AdoptRules, now: datetime) -> list[Event]:
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


# Shop and warehouse repeat themselves and come late; a settlement may ask twice. None of it is an error. Newer rules
# are adopted in any state that is not final.
_TOLERANT = (PaymentReceived, GoodsShipped, GoodsReceived, Bill, AdoptRules)
_HANDLERS: dict[type[Value], Callable[[Order, Any, datetime], list[Event]]] = {
    PaymentReceived: _payment,
    PassTime: _pass_time,
    ConfirmTransmission: _transmission,
    Accept: _accept,
    LogContact: _contact,
    ConfirmRequirements: _confirm_requirements,
    RejectRequirements: _reject_requirements,
    GoodsShipped: _goods_shipped,
    GoodsReceived: _goods_received,
    SetAppointment: _set_appointment,
    ConfirmExecution: _confirm_execution,
    ReportNotExecuted: _report_not_executed,
    DecideReview: _decide_review,
    Cancel: _cancel,
    Reassign: _reassign,
    Bill: _bill,
    AdoptRules: _adopt_rules,
    NoteUndelivered: _note_undelivered,
    NoteRefusal: _note_refusal,
    RenewCalendar: _renew_calendar,
}


# --- what each event changes -------------------------------------------------------------------------------------


def evolve(order: Order, recorded: Recorded) -> Order:
    """The order after an event. Deadlines follow from what is known then."""
    before, order = order, _step(order, recorded.event, recorded.at)
    order = order.model_copy(
        update={
            "version": recorded.seq,
            "digest": digest.extend(before.digest, [recorded]),
            "changed_at": recorded.at,
            "partner_since": _partner_since(before, order, recorded.at),
        }
    )
    if isinstance(recorded.event, ReminderDue | DeadlineMissed | Escalated):
        return order
    return deadlines.reconcile(
        order,
        recorded.at,
        unfulfilled=isinstance(recorded.event, _UNFULFILLED),
        adopted=isinstance(recorded.event, RulesAdopted),
    )


_UNFULFILLED = (Cancelled, Reassigned, AppointmentMoved, RulesAdopted)


def _step(order: Order, event: Event, at: datetime) -> Order:
    """The order after an event, before its deadlines are looked at."""
    changes = _changes(order, event, at)
    return order.model_copy(update=changes) if changes else order


def _after_transmission(order: Order) -> Status:
    """The state after transmission: `new`, or `check_requirements` if the policy has no accept step."""
    return Status.NEW if order.policy.deadlines.accept is not None else Status.CHECK_REQUIREMENTS


def _changes(order: Order, event: Event, at: datetime) -> dict[str, Any]:
    match event:
        case Placed():
            return {"placed_at": at, "released_at": None if event.prepaid else at}
        case Paid():
            return {"released_at": at, "status": Status.IN_TRANSMISSION}
        case TransmissionStarted():
            return {"sending_since": at}
        case Transmitted():
            seen = {"transmitted_at": at}
            if order.status is Status.IN_TRANSMISSION:
                return {**seen, "status": _after_transmission(order)}
            return seen
        case Accepted():
            return {"accepted_at": at, "status": Status.CHECK_REQUIREMENTS}
        case ContactLogged():
            return {"reached_at": at} if event.outcome == "reached" and not order.reached_at else {}
        case RequirementsConfirmed():
            return {**_ask_to_ship(order, at), "reached_at": order.reached_at or at}
        case RequirementsRejected():
            return {"reached_at": order.reached_at or at, "status": Status.CANCELLED}
        case NoticeKept():
            return {"kept": (*order.kept, event.notice)}
        case ShippingStarted():
            return _on_its_way(order, {"shipped_at": at}, tracking=event.tracking)
        case ShippingEnded():
            return {
                **_on_its_way(order, {"received_at": event.received_at}),
                "appointment_from": order.appointment_from or event.counts_from,
            }
        case AppointmentSet() | AppointmentMoved():
            appointment = Appointment(start=event.start, end=event.end, sequence=order.moves)
            return {
                "appointment": appointment,
                "moves": order.moves + 1,
                "status": Status.CONFIRM_EXECUTION,
            }
        case ExecutionConfirmed():
            return {"executed_on": event.executed_on, "status": Status.COMPLETED}
        case NotExecuted():
            return {"reported_at": at, "status": Status.UNDER_REVIEW}
        case ReviewDecided():
            return _after_review(order, event, at)
        case Cancelled():
            return {"status": Status.CANCELLED}
        case Reassigned():
            return {
                "partner": event.partner,
                "calendar": event.calendar,
                "transmitted_at": at,
                "accepted_at": None,
                "reached_at": None,
                "status": _after_transmission(order),
            }
        case Billed():
            return {"settlement_id": event.settlement_id, "status": Status.BILLED}
        case Released():
            return {
                "settlement_id": None,
                "freed_from": (*order.freed_from, event.settlement_id),
                "status": Status.COMPLETED,
            }
        case ReminderDue():
            return _mark(order, event, {"reminded": True})
        case DeadlineMissed():
            return _mark(order, event, {"missed": True})
        case Escalated():
            return _mark(order, event, {"level": event.level})
        case CalendarRenewed():
            return {"calendar": event.calendar}
        case RulesAdopted():
            return {
                "rules": event.version,
                "later_policy": event.policy or order.later_policy,
            }
        case MailUndelivered() | CommandRefused():
            return {}
        case UnknownEvent():
            raise NotUnderstood(f"event {event.type}")


def _ask_to_ship(order: Order, at: datetime) -> dict[str, Any]:
    shipment = Shipment(attempt=len(order.shipments) + 1, requested_at=at)
    return {
        "shipments": (*order.shipments, shipment),
        "kept": (),
        "appointment": None,
        "appointment_from": None,
        "status": Status.REQUIREMENTS_MET,
    }


def _on_its_way(order: Order, facts: dict[str, Any], tracking: str | None = None) -> dict[str, Any]:
    shipment = order.shipments[-1]
    if tracking is not None:
        facts = {
            "shipped_at": shipment.shipped_at or facts["shipped_at"],
            "trackings": (*shipment.trackings, tracking),
        }
    changes: dict[str, Any] = {
        "shipments": (*order.shipments[:-1], shipment.model_copy(update=facts))
    }
    if order.status is Status.REQUIREMENTS_MET:
        changes["status"] = Status.SET_APPOINTMENT
    return changes


def _after_review(order: Order, event: ReviewDecided, at: datetime) -> dict[str, Any]:
    match event.decision:
        case "new_appointment":
            return {
                "appointment": None,
                "appointment_from": at,
                "status": Status.SET_APPOINTMENT,
            }
        case "reship":
            return _ask_to_ship(order, at)
        case "cancel":
            return {"status": Status.CANCELLED}
        case "accept_as_executed":
            return {"executed_on": event.executed_on, "status": Status.COMPLETED}


def _mark(
    order: Order, event: ReminderDue | DeadlineMissed | Escalated, facts: dict[str, Any]
) -> dict[str, Any]:
    return {
        "deadlines": tuple(
            d.model_copy(update=facts)
            if d.is_open and d.kind == event.kind and d.due == event.due
            else d
            for d in order.deadlines
        )
    }


# --- who has the ball --------------------------------------------------------------------------------------------


def ball(order: Order, now: datetime) -> Party | None:
    """Whose turn it is; None when nothing can follow (docs/rules.md, "What counts against a partner")."""
    match order.status:
        case Status.AWAITING_PAYMENT:
            return "customer"
        case Status.IN_TRANSMISSION | Status.UNDER_REVIEW:
            return "retailer"
        case Status.NEW | Status.CHECK_REQUIREMENTS | Status.COMPLETED:
            return "partner"
        case Status.REQUIREMENTS_MET:
            return "warehouse"
        case Status.SET_APPOINTMENT:
            return "partner" if order.appointment_from else "warehouse"
        case Status.CONFIRM_EXECUTION:
            # Until the agreed hour is over everybody waits for the customer's date.
            return "customer" if order.appointment and now < order.appointment.end else "partner"
        case _:  # it is over, or in a state that only a newer process knows
            return None


def _partner_since(before: Order, order: Order, at: datetime) -> datetime | None:
    """Since when the partner has the ball, after what happened at `at`; None if it has not."""
    if ball(order, at) != "partner":
        return None
    if ball(before, at) != "partner":
        return at
    # It may have come to the partner by the agreed hour being over, which is no event.
    return before.partner_since or (before.appointment.end if before.appointment else None)
