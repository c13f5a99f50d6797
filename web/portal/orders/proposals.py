"""Proposals for an appointment: days and times to tap on, other appointments, and objections to a time."""

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

import words
from domain.errors import InvalidCommand
from domain.orders.appointments import proposed_days, set_appointment
from domain.orders.commands import SetAppointment
from domain.orders.order import Order
from domain.values import Language
from use_cases.principal import Principal
from use_cases.related import RelatedOrders
from web.portal.formats import ZURICH, local, short_weekday
from web.portal.orders.common import find, order_use_cases
from web.portal.orders.fields import Filled, Wrong, message, read_clock, read_day, read_instant
from web.portal.pages import reader_language, require_login
from words.translations import TRANSLATIONS, mark, say

router = APIRouter(include_in_schema=False)

DAYS = 5
WINDOWS = (("08:00", "10:00"), ("10:00", "12:00"), ("13:00", "15:00"), ("15:00", "17:00"))
_ONE_DAY = timedelta(days=1)
_TOMORROW = mark("Morgen, %(day)s")
_CLASH = mark("Zur selben Zeit: %(place)s, %(from)s–%(until)s (%(sp_id)s)")


class Stop(NamedTuple):
    """Another appointment of the partner, in local time."""

    sp_id: str
    start: datetime
    end: datetime
    place: str


class ProposedDay(NamedTuple):
    """A day to tap on, with the partner's appointments on it."""

    day: date
    label: str
    stops: tuple[Stop, ...]


async def proposals(
    request: Request, principal: Principal, order: Order, now: datetime, language: Language
) -> list[ProposedDay]:
    """The next days for an appointment, each with the other appointments of the order's partner."""
    days = proposed_days(order, now, DAYS)
    if not days:
        return []
    stops = await _stops(request, principal, order, days[0], days[-1])
    tomorrow = local(now).date() + _ONE_DAY
    return [
        ProposedDay(
            day,
            _label(day, day == tomorrow, language),
            tuple(s for s in stops if s.start.date() <= day <= s.end.date()),
        )
        for day in days
    ]


def _label(day: date, is_tomorrow: bool, language: Language) -> str:
    short = f"{short_weekday(day, language)} {day:%d.%m.}"
    return say(language, _TOMORROW, day=short) if is_tomorrow else short


async def _stops(
    request: Request, principal: Principal, order: Order, first: date, last: date
) -> list[Stop]:
    related: RelatedOrders = request.app.state.related_orders
    start = datetime.combine(first, time(), ZURICH).astimezone(UTC)
    end = datetime.combine(last + _ONE_DAY, time(), ZURICH).astimezone(UTC)
    found = await related.agenda(principal, order, start, end)
    return [_stop(each) for each in found if each.appointment is not None]


def _stop(order: Order) -> Stop:
    assert order.appointment is not None
    customer = order.intake.placement.customer
    return Stop(
        order.sp_id,
        local(order.appointment.start),
        local(order.appointment.end),
        f"{customer.postal_code} {customer.city}",
    )


@router.get("/orders/{sp_id}/appointment/check")
async def check(request: Request, sp_id: str) -> Response:
    """The objections to a time (`day`, `from`, `until`), and the other appointments of that day, as JSON."""
    principal = await require_login(request, "partner", "operations")
    order = (await find(request, principal, sp_id)).order
    language, now = reader_language(request, principal), order_use_cases(request).now
    given, wrong = request.query_params, Wrong()
    day = read_day(given.get("day", ""), "day", wrong)
    if day is None or not date(2000, 1, 1) < day < date(2200, 1, 1):
        return JSONResponse({"unusual": False, "messages": [], "stops": []})
    typed = Filled({name: given.get(name, "") for name in ("from", "until")})
    start = read_instant(order.calendar, day, read_clock(typed, "from", wrong), "from", wrong)
    end = read_instant(
        order.calendar,
        day,
        read_clock(typed, "until", wrong),
        "until",
        wrong,
        after=start,
    )
    stops = await _stops(request, principal, order, day, day)
    messages, unusual = [], False
    if start is not None and end is not None and not wrong:
        code = _refusal(order, start, end, now)
        unusual = code == "appointment_unusual"
        if code is not None:
            messages.append(message(code, language, TRANSLATIONS[language].gettext))
        messages += [
            say(
                language,
                _CLASH,
                **{
                    "place": stop.place,
                    "from": f"{stop.start:%H:%M}",
                    "until": f"{stop.end:%H:%M}",
                    "sp_id": stop.sp_id,
                },
            )
            for stop in stops
            if stop.start < end and stop.end > start
        ]
    return JSONResponse(
        {
            "unusual": unusual,
            "messages": messages,
            "stops": [
                f"{words.format_period(stop.start, stop.end, language)} · {stop.place}"
                for stop in stops
            ],
        },
        headers={"Cache-Control": "no-store"},
    )


def _refusal(order: Order, start: datetime, end: datetime, now: datetime) -> str | None:
    command = SetAppointment(start=start, end=end, reason="-")
    try:
        set_appointment(order, command, now)
    except InvalidCommand as refused:
        return refused.code
    return None
