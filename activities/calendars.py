"""Pins calendars for orders that outlive theirs: workflows cannot use the `holidays` package (DESIGN 8)."""

import asyncio

from temporalio import activity

from activities import names
from domain import cantons
from domain.calendar import Calendar


@activity.defn(name=names.PIN_CALENDAR)
async def pin_calendar(wanted: names.CalendarWanted) -> Calendar:
    """The calendar of a canton from a day on. Raises `ValueError` for an unknown canton."""
    return await asyncio.to_thread(cantons.pin_calendar, wanted.canton, wanted.policy, wanted.start)
