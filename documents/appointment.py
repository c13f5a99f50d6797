"""The appointment with the customer as an iCalendar file: to download, and in mails that set or withdraw it.

It follows RFC 5545 and, in mails, RFC 5546. All files about an order have the same UID. SEQUENCE is the number of the
event after which a file was made, so that it rises with each, and a calendar moves or removes its entry. Times are in
UTC, which every calendar converts, so that a file needs no description of the time zone.
"""

from datetime import date, datetime
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from icalendar import Calendar, Event, vCalAddress, vText, vUri

from domain.orders.order import Order

MEDIA_TYPE = "text/calendar; charset=utf-8; method=PUBLISH"

Method = Literal["PUBLISH", "REQUEST", "CANCEL"]


class Parties(NamedTuple):
    """Who sends an appointment by mail, and to whom: e-mail addresses, and the sender's name."""

    organizer: str
    organizer_name: str
    attendee: str


def appointment_ics(
    order: Order, now: datetime, public_url: str, parties: Parties | None = None
) -> bytes | None:
    """The appointment of an order as its partner keeps it; None if it has none. With `parties` it is for a mail."""
    appointment, placement = order.appointment, order.intake.placement
    if appointment is None:
        return None
    customer, product = placement.customer, placement.product
    address = order_address(order.sp_id, public_url)
    event = new_event(
        order.sp_id, order.version, (appointment.start, appointment.end), now, public_url
    )
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
    return _file(event, "REQUEST" if parties else "PUBLISH", parties)


def visit_ics(
    order: Order, partner_phone: str, now: datetime, public_url: str, parties: Parties
) -> bytes | None:
    """The appointment of an order for its customer; None if it has none."""
    appointment, placement = order.appointment, order.intake.placement
    if appointment is None:
        return None
    customer, product = placement.customer, placement.product
    event = new_event(
        order.sp_id, order.version, (appointment.start, appointment.end), now, public_url
    )
    event.add("summary", vText(f"{placement.service.name}, {order.partner.name}"))
    event.add("location", vText(f"{customer.street}, {customer.postal_code} {customer.city}"))
    lines = [
        f"{product.quantity} × {product.name}",
        ", ".join(filter(None, (order.partner.name, partner_phone))),
        order.sp_id,
    ]
    event.add("description", vText("\n".join(lines)))
    event.add("status", "CONFIRMED")
    return _file(event, "REQUEST", parties)


def withdrawn_ics(
    sp_id: str,
    summary: str,
    sequence: int,
    period: tuple[datetime, datetime],
    now: datetime,
    public_url: str,
    parties: Parties,
) -> bytes:
    """What removes an appointment from the calendar of the attendee. It names no customer."""
    event = new_event(sp_id, sequence, period, now, public_url)
    event.add("summary", vText(summary))
    event.add("status", "CANCELLED")
    return _file(event, "CANCEL", parties)


def new_event(
    sp_id: str,
    sequence: int,
    period: tuple[datetime, datetime] | tuple[date, date],
    now: datetime,
    public_url: str,
) -> Event:
    """An entry about an order: whoever has one with this UID already changes that."""
    start, end = (at.replace(microsecond=0) if isinstance(at, datetime) else at for at in period)
    event = Event()
    event.add("uid", f"{sp_id}@{urlsplit(public_url).hostname}")
    event.add("sequence", sequence)
    event.add("dtstamp", now.replace(microsecond=0))
    event.add("dtstart", start)
    event.add("dtend", end)
    return event


def order_address(sp_id: str, public_url: str) -> str:
    """The address of an order's page."""
    return f"{public_url.rstrip('/')}/orders/{sp_id}"


def new_calendar(method: Method) -> Calendar:
    """A file without entries."""
    calendar = Calendar()
    calendar.add("prodid", "-//CMI//Company Management Interface//DE")
    calendar.add("version", "2.0")
    calendar.add("method", method)
    return calendar


def _file(event: Event, method: Method, parties: Parties | None) -> bytes:
    if parties is not None:
        organizer = vCalAddress(f"mailto:{parties.organizer}")
        organizer.params["CN"] = vText(parties.organizer_name.replace('"', "'"))
        event.add("organizer", organizer)
        attendee = vCalAddress(f"mailto:{parties.attendee}")
        # It is agreed already: nobody is asked to answer.
        attendee.params["PARTSTAT"] = vText("ACCEPTED")
        attendee.params["RSVP"] = vText("FALSE")
        event.add("attendee", attendee)
    calendar = new_calendar(method)
    calendar.add_component(event)
    made: bytes = calendar.to_ical()
    return made
