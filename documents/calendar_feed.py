"""A partner's calendar as an iCalendar file that calendars read again and again (RFC 5545, RFC 7986).

An entry has the UID of the appointment that is mailed (documents/appointment.py) and a SEQUENCE that rises with each
event of the order, so that a calendar that has both shows the later one. Two files about the same are equal to the
byte: no time of making is in them.

Who a calendar belongs to often has it read by another firm's servers. So customers' data are in it as far as the way
needs them, until the visit is done: name, address, telephone. The note and the e-mail address are never in it.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import NamedTuple

from icalendar import Event, vText, vUri

from documents.appointment import new_calendar, new_event, order_address
from domain.agenda import ZONE
from domain.orders.calendar_entry import CalendarEntry, RemovedEntry
from domain.orders.erasure import is_erased, is_shown
from domain.orders.order import Order, Status
from domain.values import Language
from words.translations import mark, say

MEDIA_TYPE = "text/calendar; charset=utf-8"
VERSION = 1
"""Another one if the same orders give another file, so that calendars read it anew."""
READ_AGAIN = timedelta(hours=1)
"""How often a calendar is asked to read the file."""
_CANCELLED = mark("Abgesagt: %(service)s")
_ASSIGNED = mark("Zugeteilt: %(name)s")
_NAME = mark("Aufträge %(name)s")


class FeedEntry(NamedTuple):
    """A visit. `person`: the name of whom it is assigned to, if the calendar is that of several."""

    order: Order
    entry: CalendarEntry
    person: str | None = None


def feed_ics(
    name: str,
    entries: Iterable[FeedEntry],
    removed: Iterable[RemovedEntry],
    public_url: str,
    language: Language,
) -> bytes:
    """The calendar called `name` with these visits."""
    calendar = new_calendar("PUBLISH")
    title = say(language, _NAME, name=name)
    for known_as in ("name", "x-wr-calname"):
        calendar.add(known_as, vText(title))
    calendar.add("refresh-interval", READ_AGAIN, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", "PT1H")  # the same for Outlook
    for each in entries:
        calendar.add_component(_visit(each, public_url, language))
    for visit in removed:
        calendar.add_component(_cancelled(visit, public_url, language))
    made: bytes = calendar.to_ical()
    return made


def _visit(each: FeedEntry, public_url: str, language: Language) -> Event:
    order, entry = each.order, each.entry
    assert order.changed_at is not None, "it is in the records"
    period = (_day(entry.start), _day(entry.end)) if entry.whole_day else (entry.start, entry.end)
    event = new_event(order.sp_id, order.version, period, order.changed_at, public_url)
    event.add("last-modified", order.changed_at.replace(microsecond=0))
    customer, product = order.intake.placement.customer, order.intake.placement.product
    service, address = order.intake.placement.service.name, order_address(order.sp_id, public_url)
    place = " ".join(filter(is_shown, (customer.postal_code, customer.city)))
    lines = [order.sp_id, f"{product.quantity} × {product.name}"]
    if order.status in (Status.COMPLETED, Status.BILLED) or is_erased(order):
        title, where = (service, place), place
    else:
        title, where = (service, customer.name), f"{customer.street}, {place}"
        lines.append(f"{customer.name}, {customer.phone}")
    if each.person is not None:
        lines.append(say(language, _ASSIGNED, name=each.person))
    event.add("summary", vText(", ".join(filter(None, title))))
    if where:
        event.add("location", vText(where))
    event.add("description", vText("\n".join((*lines, address))))
    event.add("url", vUri(address))
    event.add("class", "PRIVATE")
    event.add("status", "CONFIRMED")
    return event


def _cancelled(visit: RemovedEntry, public_url: str, language: Language) -> Event:
    """It names no customer: the partner may have lost the order."""
    period = (visit.start, visit.end)
    event = new_event(visit.sp_id, visit.sequence, period, visit.removed_at, public_url)
    event.add("last-modified", visit.removed_at.replace(microsecond=0))
    event.add("summary", vText(say(language, _CANCELLED, service=visit.service)))
    event.add("class", "PRIVATE")
    event.add("status", "CANCELLED")
    event.add("transp", "TRANSPARENT")
    return event


def _day(instant: datetime) -> date:
    return instant.astimezone(ZONE).date()
