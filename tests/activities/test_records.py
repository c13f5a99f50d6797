"""The activities over the records and the calendars."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.calendars import CalendarActivities
from activities.records import RecordActivities
from contracts.activities import CalendarWanted, Snapshot
from domain.policy import Policy
from records.database import Database
from records.orders import Orders
from tests.support.builders import AGREED, lived

ORDER, EVENTS = lived(*AGREED)
SNAPSHOT = Snapshot(order=ORDER, events=EVENTS)
NOBODY: Any = None
"""A client for what asks no workflow."""


async def test_an_order_is_saved_and_twice_is_once(database: Database) -> None:
    activities = RecordActivities(NOBODY, Orders(database))
    for _ in range(2):
        assert await ActivityEnvironment().run(activities.save_order, SNAPSHOT) == ORDER.version
    stored = await Orders(database).get(ORDER.sp_id)
    assert stored is not None
    assert stored.order == ORDER


async def test_a_database_that_is_away_is_tried_again_and_tells_nothing(tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'without-tables.db'}")
    activities = RecordActivities(NOBODY, Orders(database))
    with pytest.raises(ApplicationError) as caught:
        await ActivityEnvironment().run(activities.save_order, SNAPSHOT)
    await database.close()
    failure = caught.value
    assert failure.message == "records of SP-1048213: OperationalError"
    assert not failure.non_retryable
    assert failure.__cause__ is None
    assert failure.__suppress_context__
    assert failure.__traceback__ is not None


async def test_a_calendar_is_pinned() -> None:
    wanted = CalendarWanted(canton="LU", policy=Policy(), start=date(2027, 1, 4))
    calendar = await ActivityEnvironment().run(CalendarActivities(Policy()).pin_calendar, wanted)
    assert calendar.canton == "LU"
    assert date(2027, 5, 27) in calendar.holidays  # Corpus Christi
    assert calendar.last_day == date(2028, 7, 4)
