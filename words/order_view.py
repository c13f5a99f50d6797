"""The view of an order for the API, the pages, and operations in the Temporal UI."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from pydantic import Field

import words
from domain.actors import Role
from domain.calendar import Calendar
from domain.orders.access import allowed
from domain.orders.ball import ball
from domain.orders.catalogue import checklist
from domain.orders.codes import ChecklistItem
from domain.orders.deadline import DeadlineKind
from domain.orders.deadline_rules import owner_of
from domain.orders.erasure import is_erased, is_shown
from domain.orders.events import CalendarRenewed, Reassigned, Recorded, RulesAdopted
from domain.orders.explanation import explain
from domain.orders.order import Appointment, Order, Party, Status
from domain.orders.placement import Customer, Product, Recipient, Service
from domain.values import Language, Value, without_unknown


class DeadlineView(Value):
    """An open deadline, with an explanation of when it is due."""

    kind: DeadlineKind
    label: str
    due: datetime
    overdue: bool
    explanation: str


class TimelineEntry(Value):
    """One event of the life of an order or a settlement, as pages and API show it.

    Attributes:
        by: who did it and on whose behalf, in one text (`RecordedEvent.author`).
        data: the fields of the event.
        text: what happened, in the caller's language.
        person: the name of the person who did it for its partner; left out if it is not known.
        author_text: who did it and on whose behalf, in the caller's language; only pages show it.
    """

    seq: int
    at: datetime
    type: str
    by: str
    person: str | None = Field(default=None, exclude_if=lambda person: person is None)
    data: dict[str, Any]
    text: str
    author_text: str = Field(exclude=True)


class RelatedOrder(Value):
    """Another order of the same sales order."""

    sp_id: str
    service: str
    status: Status
    status_label: str


class ClashView(Value):
    """Another order of the same partner whose appointment is at the same time."""

    sp_id: str
    start: datetime
    end: datetime


class PersonView(Value):
    """A person of the partner that has an order."""

    user_id: str
    name: str


class CustomerView(Value):
    """The customer of an order. A field is None if it was erased, or if this caller does not see it (any more)."""

    name: str | None
    email: str | None
    phone: str | None
    street: str | None
    postal_code: str | None
    city: str | None
    language: Language


class OrderView(Value):
    """An order as the API returns it: how it was placed, and its state now.

    `partner_id` is None while it has no partner. `review_reason`: the reason of the review, or of the one before a
    hold. `erased`: the customer's data were erased. `related` and `clashes`: only orders that the caller sees; empty if
    the view is made without them. `assigned_to`: the partner's person that has it; also None for callers who do not see
    that. `unread_messages`: how many this login has yet to read; None for roles that see no messages.
    """

    sp_id: str
    sales_order_id: str
    sales_order_line: str | None
    partner_id: str | None
    prepaid: bool
    deliver_to: Recipient
    customer: CustomerView
    product: Product
    service: Service
    note: str
    erased: bool = False
    checklist: tuple[ChecklistItem, ...]
    status: Status
    status_label: str
    version: int
    deadlines: tuple[DeadlineView, ...]
    allowed: tuple[str, ...]
    ball: Party | None
    appointment: Appointment | None
    held_until: datetime | None
    review_reason: str | None
    executed_on: date | None
    settlement_id: str | None
    related: tuple[RelatedOrder, ...] = ()
    clashes: tuple[ClashView, ...] = ()
    assigned_to: PersonView | None = None
    unread_messages: int | None = None
    timeline: tuple[TimelineEntry, ...]


def order_view(
    order: Order, events: Iterable[Recorded], now: datetime, language: Language, role: Role | None
) -> OrderView:
    """The order as a caller of this role sees it at `now`; a role without actions (accounting) is None.

    A partner sees neither the retailer's deadlines nor the events of a previous partner.
    """
    placement = order.intake.placement
    calendar = order.calendar
    events = list(events)
    given = [each.event.partner for each in events if isinstance(each.event, Reassigned)]
    names = {
        partner.partner_id: partner.name
        for partner in (order.intake.partner, order.partner, *given)
    }
    return OrderView(
        sp_id=placement.sp_id,
        sales_order_id=placement.sales_order_id,
        sales_order_line=placement.sales_order_line,
        partner_id=None if order.status is Status.UNASSIGNED else order.partner.partner_id,
        prepaid=placement.prepaid,
        # Under the first rules the goods went to the customer.
        deliver_to=placement.deliver_to if order.intake.rules >= 2 else "customer",
        customer=customer_view(placement.customer),
        product=without_unknown(placement.product),
        service=without_unknown(placement.service),
        note=placement.note,
        erased=is_erased(order),
        checklist=checklist(placement.service.code),
        status=order.status,
        status_label=words.status_label(order.status, language),
        version=order.version,
        deadlines=tuple(
            DeadlineView(
                kind=d.kind,
                label=words.deadline_label(d.kind, language),
                due=zoned(calendar, d.due),
                overdue=now >= d.due,
                explanation=words.explanation_text(explain(order, d), language),
            )
            for d in order.open_deadlines
            if role != "partner" or owner_of(d.kind) == "partner"
        ),
        allowed=allowed(order, role, now) if role else (),
        ball=ball(order, now),
        appointment=_zoned_appointment(order),
        held_until=zoned(calendar, order.held_until) if order.held_until else None,
        review_reason=order.review_reason or None,
        executed_on=order.executed_on,
        settlement_id=order.settlement_id,
        timeline=tuple(
            _entry(recorded, calendar, language, names)
            for recorded in (_since_reassignment(events) if role == "partner" else events)
        ),
    )


def customer_view(customer: Customer) -> CustomerView:
    """The customer without erased and hidden data."""
    values = customer.model_dump(include=set(CustomerView.model_fields))
    shown = {name: value if is_shown(value) else None for name, value in values.items()}
    return CustomerView.model_validate(shown)


def zoned(calendar: Calendar, instant: datetime) -> datetime:
    """An instant with the UTC offset that the calendar has at that instant."""
    offset = calendar.local(instant) - instant.astimezone(UTC).replace(tzinfo=None)
    return instant.astimezone(timezone(timedelta(seconds=offset.total_seconds())))


def _zoned_appointment(order: Order) -> Appointment | None:
    appointment = order.appointment
    if appointment is None:
        return None
    return without_unknown(appointment).model_copy(
        update={
            "start": zoned(order.calendar, appointment.start),
            "end": zoned(order.calendar, appointment.end),
        }
    )


def _since_reassignment(events: Iterable[Recorded]) -> list[Recorded]:
    """The events since the last reassignment, without that event, which names the previous partner."""
    own: list[Recorded] = []
    for recorded in events:
        if isinstance(recorded.event, Reassigned):
            own = [e for e in own if e.event.type in _OF_NO_PARTNER and _is_no_partners(e)]
        else:
            own.append(recorded)
    return own


_OF_NO_PARTNER = ("placed", "paid", "goods_shipped", "goods_received")


def _is_no_partners(recorded: Recorded) -> bool:
    return not recorded.by.startswith("partner:") and recorded.on_behalf_of is None


def _entry(
    recorded: Recorded, calendar: Calendar, language: Language, names: Mapping[str, str]
) -> TimelineEntry:
    event = without_unknown(recorded.event)
    hidden = {"type"}
    if isinstance(event, Reassigned | CalendarRenewed):
        hidden.add("calendar")
    if isinstance(event, RulesAdopted):
        hidden.add("policy")
    return TimelineEntry(
        seq=recorded.seq,
        at=zoned(calendar, recorded.at),
        type=event.type,
        by=recorded.author,
        person=recorded.person,
        data=event.model_dump(mode="json", exclude=hidden),
        text=words.event_text(recorded, language, calendar.local, names),
        author_text=words.author_text(
            recorded.by, recorded.on_behalf_of, language, names, recorded.person
        ),
    )
