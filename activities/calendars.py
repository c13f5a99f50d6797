"""Pins calendars for workflows, which cannot use the `holidays` package (docs/traps.md, "Time and tests")."""

import asyncio

from temporalio import activity

from contracts import activities
from domain import cantons
from domain.calendar import Calendar
from domain.policy import Policy


class CalendarActivities:
    """The activity that pins a calendar. `policy` is the configured one, for workflows that have none pinned."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    @activity.defn(name=activities.PIN_CALENDAR)
    async def pin_calendar(self, wanted: activities.CalendarWanted) -> Calendar:
        """The calendar of a canton from a day on. Raises `ValueError` for an unknown canton."""
        policy = wanted.policy or self._policy
        return await asyncio.to_thread(cantons.pin_calendar, wanted.canton, policy, wanted.start)
