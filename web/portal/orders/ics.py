"""The appointment with the customer as an iCalendar file (RFC 5545)."""

from datetime import datetime
from urllib.parse import urlsplit

from icalendar import Calendar, Event, vText, vUri

from domain.orders.order import Order

MEDIA_TYPE = "text/calendar; charset=utf-8; method=PUBLISH"


def appointment_ics(order: Order, now: datetime, public_url: str) -> bytes | None:
    """The appointment of an order as an iCalendar file; None if it has none.

    When the appointment is moved, UID stays the same and SEQUENCE rises, so that a calendar moves its entry. Times are
    in UTC, which every calendar converts, so that the file needs no description of the time zone.
    """
    appointment, placement = order.appointment, order.intake.placement
    if appointment is None:
        return None
    customer, product = placement.customer, placement.product
    address = f"{public_url.rstrip('/')}/orders/{order.sp_id}"
    event = Event()
    event.add("uid", f"{order.sp_id}@{urlsplit(public_url).hostname}")
    event.add("sequence", appointment.sequence)
    event.add("dtstamp", now.replace(microsecond=0))
    event.add("dtstart", appointment.start.replace(microsecond=0))
    event.add("dtend", appointment.end.replace(microsecond=0))
    event.add("summary", vText(f"{placement.service.name}, {customer.name}"))
    event.add("location", vText(f"{customer.street}, {customer.postal_code} {customer.city}"))
    lines = [
        order.sp_id,
        f"{product.quantity} × {product.name}",
        f"{customer.name}, {customer.phone}",
        placement.note.replace("\r\n", "\n").replace("\r", "\n"),
        address,
    ]
    event.add("description", vText("\n".join(line for line in lines if line)))
    event.add("url", vUri(address))
    event.add("class", "PRIVATE")
    event.add("status", "CONFIRMED")
    calendar = Calendar()
    calendar.add("prodid", "-//CMI//Company Management Interface//DE")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add_component(event)
    made: bytes = calendar.to_ical()
    return made
