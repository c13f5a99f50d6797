"""A person's own reminder to call a customer again: set on an order's page, shown on the overview at its time."""

from datetime import datetime, time, timedelta
from typing import Any, NamedTuple
from urllib.parse import quote

from fastapi import APIRouter, Request, Response

from domain.orders.order import Order
from domain.values import Language
from records.reminders import Reminders
from use_cases.principal import Principal
from web.portal.formats import ZURICH, instant, local
from web.portal.orders.common import find, order_use_cases
from web.portal.orders.fields import MESSAGES
from web.portal.pages import form_of, redirect, register_notices, require_login
from words.translations import mark, say

router = APIRouter(include_in_schema=False)

register_notices(
    {
        "reminder-set": mark("Sie werden auf der Übersicht daran erinnert."),
        "reminder-cleared": mark("Die Erinnerung ist gelöscht."),
    }
)
register_notices({"reminder-wrong": MESSAGES["reminder_not_possible"]}, refused=True)
CLEAR = "clear"
_TIMES = (time(11), time(14), time(17))
_OFFERED = 3
_SOON = timedelta(minutes=30)
_LONGEST = timedelta(days=60)
_SUNDAY = 6
_TODAY = mark("um %(time)s")
_TOMORROW = mark("morgen um %(time)s")
_LATER = mark("am %(when)s")


class Offer(NamedTuple):
    """A time to be reminded at. `value` is local: "2026-12-01T17:00"."""

    value: str
    label: str


def reminders(request: Request) -> Reminders:
    """The personal reminders."""
    found: Reminders = request.app.state.reminders
    return found


def offers(now: datetime, language: Language) -> list[Offer]:
    """The next good times of day for another call; none on a Sunday."""
    today = local(now).date()
    days = [today + timedelta(days=n) for n in range(3)]
    times = (
        datetime.combine(day, at, ZURICH)
        for day in days
        if day.weekday() != _SUNDAY
        for at in _TIMES
    )
    coming = [at for at in times if at > local(now) + _SOON][:_OFFERED]
    return [Offer(f"{at:%Y-%m-%dT%H:%M}", _label(at, now, language)) for at in coming]


def _label(at: datetime, now: datetime, language: Language) -> str:
    match (at.date() - local(now).date()).days:
        case 0:
            return say(language, _TODAY, time=f"{at:%H:%M}")
        case 1:
            return say(language, _TOMORROW, time=f"{at:%H:%M}")
        case _:
            return say(language, _LATER, when=instant(at))


async def reminder_values(
    request: Request, principal: Principal, order: Order, now: datetime, language: Language
) -> dict[str, Any]:
    """The values for the page of an order: the reader's `reminder` (or None), and the offered times."""
    if principal.role != "partner":
        return {"reminder": None, "reminder_offers": []}
    due = await reminders(request).get(principal.login_id, order.sp_id)
    return {"reminder": due, "reminder_offers": offers(now, language)}


@router.post("/orders/{sp_id}/reminder")
async def remind(request: Request, sp_id: str) -> Response:
    """Set or delete the reader's reminder of an order: `reminder.at`, a local time or `clear`."""
    principal = await require_login(request, "partner")
    form = await form_of(request)
    order = (await find(request, principal, sp_id)).order
    back = "/#main" if form.get("back") == "/" else f"/orders/{quote(order.sp_id, safe='')}#main"
    now, given = order_use_cases(request).now, form.get("reminder.at")
    if given == CLEAR:
        await reminders(request).clear(principal.login_id, order.sp_id)
        return redirect(request, back, said="reminder-cleared")
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        return redirect(request, back, said="reminder-wrong")
    at = at.replace(tzinfo=ZURICH) if at.tzinfo is None else at
    if not now < at < now + _LONGEST:
        return redirect(request, back, said="reminder-wrong")
    await reminders(request).set(principal.login_id, order.sp_id, at, now)
    return redirect(request, back, said="reminder-set")
