"""The agenda of a partner: its visits by day, of a week or a day, of all its people or of one."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

import words
from domain.agenda import Period, by_day
from domain.values import Language
from records.assignments import NOBODY
from use_cases.access import Forbidden
from use_cases.agenda import Agenda, AgendaEntry, AgendaUseCases, UnknownPerson
from web.portal.device import kept_on_device
from web.portal.formats import local, short_weekday
from web.portal.orders.common import contact_links
from web.portal.pages import error_page, page, reader_language, redirect, require_login
from words.order_view import CustomerView, customer_view
from words.translations import mark, say

router = APIRouter(include_in_schema=False)

NOBODYS = "none"
"""The value of the query's `person` for visits that are assigned to nobody."""
_WHOLE_DAY = mark("ohne Uhrzeit")


class Visit(NamedTuple):
    """A visit on a day. `time` is in words, with the days if the visit is on several days."""

    entry: AgendaEntry
    customer: CustomerView
    time: str
    clashes: tuple[str, ...]
    phone_link: str | None
    map_link: str | None


class Column(NamedTuple):
    """A column: in a week the visits of a day (`day`), on a day the visits of a person (`name`)."""

    visits: tuple[Visit, ...]
    day: date | None = None
    name: str | None = None


@router.get("/agenda")
async def agenda(request: Request) -> Response:
    """The week or day that the query names, or the current week."""
    principal = await require_login(request, "partner")
    use_cases, given = agenda_use_cases(request), request.query_params
    today = local(use_cases.now).date()
    period = Period.read(given.get("week"), given.get("day"))
    if period is None:
        if "week" in given or "day" in given:
            return redirect(request, "/agenda")
        period = Period.week_of(today)
    person = given.get("person") or None
    try:
        found = await use_cases.agenda(principal, period, NOBODY if person == NOBODYS else person)
    except Forbidden:
        return error_page(request, 403)
    except UnknownPerson:
        return redirect(request, f"/agenda?{_query(period, None)}")
    language = reader_language(request, principal)
    day = today if period.first <= today <= period.last else period.first
    return page(
        request,
        "agenda/agenda",
        principal=principal,
        headers=kept_on_device(principal),
        period=period,
        week=period.first.isocalendar().week,
        columns=_columns(found, person, language),
        total=len(found.entries),
        is_cut=found.is_cut,
        today=today,
        people=found.people if len(found.people) > 1 else (),
        person=person,
        nobodys=NOBODYS,
        previous=_query(period.previous, person),
        following=_query(period.next, person),
        this_week=_query(Period.week_of(today), person),
        this_day=_query(Period(today, today), person),
        as_week=_query(Period.week_of(period.first), person),
        as_day=_query(Period(day, day), person),
        of_person=lambda user_id: _query(period, user_id),
        of_day=lambda each: _query(Period(each, each), person),
        weekday=lambda each: short_weekday(each, language),
    )


def agenda_use_cases(request: Request) -> AgendaUseCases:
    """The use cases of agendas."""
    found: AgendaUseCases = request.app.state.agenda
    return found


def _query(period: Period, person: str | None) -> str:
    of_person = {"person": person} if person else {}
    return urlencode({"week" if period.is_week else "day": str(period), **of_person})


def _columns(found: Agenda, person: str | None, language: Language) -> list[Column]:
    """In a week a column for each day; on a day one for each person with visits, and one for unassigned visits."""
    days = by_day(found.entries, found.period)
    if found.period.is_week:
        return [Column(_visits(each, found, day, language), day=day) for day, each in days.items()]
    day = found.period.first
    entries = days[day]
    if person is not None or len(found.people) < 2:
        return [Column(_visits(entries, found, day, language))]
    people = {each.user_id: each.name for each in found.people}
    people |= {each.assigned.user_id: each.assigned.name for each in entries if each.assigned}
    columns = [
        Column(
            _visits([e for e in entries if e.person == user_id], found, day, language), name=name
        )
        for user_id, name in people.items()
    ]
    nobodys = [each for each in entries if each.person is None]
    return [
        *(column for column in columns if column.visits),
        *([Column(_visits(nobodys, found, day, language), name="")] if nobodys else ()),
    ]


def _visits(
    entries: Sequence[AgendaEntry], found: Agenda, day: date, language: Language
) -> tuple[Visit, ...]:
    return tuple(_visit(each, found, day, language) for each in entries)


def _visit(entry: AgendaEntry, found: Agenda, day: date, language: Language) -> Visit:
    customer = customer_view(entry.order.intake.placement.customer)
    links = contact_links(customer)
    start, end = local(entry.start), local(entry.end)
    if entry.whole_day:
        time = say(language, _WHOLE_DAY)
    elif start.date() == end.date() == day:
        time = f"{start:%H:%M}–{end:%H:%M}"
    else:
        time = words.format_period(start, end, language)
    return Visit(entry, customer, time, found.clashes.get(entry.sp_id, ()), links.phone, links.map)
