"""Erases an order's customer data, and hides them from those who no longer need them."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from domain.fields import free_texts
from domain.orders.events import GoodsUnexpected, KnownEvent, NoticeKept, Recorded
from domain.orders.order import Order, Status
from domain.orders.placement import Customer
from domain.orders.shipment import GoodsShipped, Notice
from domain.values import without_unknown

ERASED = "–"
"""What replaces a text that must not be empty. It is no word of any language."""
_ERASED_EMAIL = "erased@erased.invalid"
_HIDDEN_EMAIL = "hidden@hidden.invalid"  # .invalid is reserved (RFC 2606): it is nobody's address

FREE_TEXTS: Mapping[str, tuple[str, ...]] = free_texts(KnownEvent)
"""By the event's type, the fields that people wrote, or that lead to a customer (the carrier's tracking number)."""
NO_FREE_TEXTS: Mapping[str, tuple[str, ...]] = {
    "transmitted": ("partner_id",),
    "reassigned": ("from_partner_id",),
    "billed": ("settlement_id",),
    "released": ("settlement_id",),
    "mail_undelivered": ("key", "mail"),
    "command_refused": ("action", "code"),
    **dict.fromkeys(("reminder", "deadline_missed", "escalation"), ("kind",)),
}
"""The other text fields of events: codes and identifiers, none of which is a customer's."""


def is_erased(order: Order) -> bool:
    """Whether the customer's data of the order were erased."""
    return order.intake.placement.customer.email == _ERASED_EMAIL


def is_shown(text: str) -> bool:
    """Whether a customer's text can be shown: it is not empty, erased or hidden."""
    return text not in ("", ERASED, _ERASED_EMAIL, _HIDDEN_EMAIL)


def erase_order(order: Order) -> Order:
    """The order without customer and free texts. Dates, service, fee, state, deadlines and identifiers stay.

    Postal code and town stay if it was carried out: they are on the statement of its settlement.
    """
    return _without_texts(order, _ERASED_EMAIL, keeps_place=order.executed_on is not None)


def erase_events(events: Iterable[Recorded]) -> tuple[Recorded, ...]:
    """The events without free texts. Their digest stays, because it does not cover what an event holds."""
    return tuple(_without_text(recorded) for recorded in events)


def hide_contact(order: Order) -> Order:
    """The order as its partner sees it once it no longer needs to reach the customer: without telephone, street,
    e-mail and the shop's note."""
    customer = order.intake.placement.customer.model_copy(
        update={"phone": ERASED, "street": ERASED, "email": _HIDDEN_EMAIL}
    )
    return _with_customer(order, customer, "")


def hide_customer(order: Order) -> Order:
    """The order as accounting sees it: of the customer only postal code, town and language, and no free texts."""
    return _without_texts(order, _HIDDEN_EMAIL, keeps_place=True)


def contact_is_over(order: Order, now: datetime, after: timedelta) -> bool:
    """Whether the order was billed or cancelled so long ago that its partner no longer needs the customer's contact."""
    return order.end is not None and now >= order.end + after


def why_not_erasable(status: Status) -> str | None:
    """The code of the refusal to erase an order in this state; None if it can be erased."""
    return None if status.is_final else "not_ended"


def _without_texts(order: Order, email: str, *, keeps_place: bool) -> Order:
    if is_erased(order):
        return order
    known = without_unknown(order)
    old = known.intake.placement.customer
    customer = old.model_copy(
        update={
            "name": ERASED,
            "email": email,
            "phone": ERASED,
            "street": ERASED,
            "postal_code": old.postal_code if keeps_place else ERASED,
            "city": old.city if keeps_place else ERASED,
        }
    )
    return _with_customer(known, customer, "").replace(
        shipments=tuple(each.replace(trackings=()) for each in known.shipments),
        kept=tuple(_without_tracking(notice) for notice in known.kept),
    )


def _with_customer(order: Order, customer: Customer, note: str) -> Order:
    placement = order.intake.placement.model_copy(update={"customer": customer, "note": note})
    intake = order.intake.model_copy(update={"placement": placement})
    return order.model_copy(update={"intake": intake})


def _without_text(recorded: Recorded) -> Recorded:
    event = without_unknown(recorded.event)
    if isinstance(event, NoticeKept | GoodsUnexpected):
        event = event.model_copy(update={"notice": _without_tracking(event.notice)})
    elif fields := FREE_TEXTS.get(event.type):
        changes = {name: "" for name in fields if hasattr(event, name)}
        event = event.model_copy(update=changes)
    return recorded.model_copy(update={"event": event})


def _without_tracking(notice: Notice) -> Notice:
    if isinstance(notice, GoodsShipped):
        return notice.model_copy(update={"tracking": ERASED})
    return notice
