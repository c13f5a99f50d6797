"""A worker is killed while many mails go out and the records are slow: few of them come twice."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from records.database import Database
from tests.server.surroundings import eventually, surroundings
from tests.server.test_restarts import IMPATIENT
from tests.support.databases import kept_from_writers
from tests.support.temporal_servers import OFFERS_LOST_TASKS_SOON

DUE = 18
LIMIT = 4
"""As docs/mail.md has it."""
# Long enough for an attempt with slow records. What was under way at the kill has no heartbeat, and is tried again
# sooner.
PATIENT = IMPATIENT.replace(
    "timedelta(seconds=4)", "timedelta(seconds=20)\nbackground.LOST_AFTER = timedelta(seconds=14)"
)


@asynccontextmanager
async def slow_records(database: Database) -> AsyncIterator[None]:
    """Somebody else writes most of the time, in short turns, as many web processes would."""

    async def write() -> None:
        while True:
            async with kept_from_writers(database):
                await asyncio.sleep(0.1)
            await asyncio.sleep(0.02)

    writing = asyncio.create_task(write())
    yield
    writing.cancel()
    await asyncio.wait([writing])


async def test_a_kill_doubles_no_more_mails_than_are_handed_in_at_a_time(tmp_path: Path) -> None:
    async with surroundings(tmp_path, shared=True, server=OFFERS_LOST_TASKS_SOON) as around:
        around.run_as_worker(PATIENT)
        lives = [await around.place(f"SP-{number}") for number in range(DUE)]
        async with slow_records(around.database):
            await around.start_worker_process()
            await eventually(lambda: len(around.inbox.ids()) >= DUE // 3)
            around.worker_process.kill()
        await around.start_worker_process()
        for life in lives:
            await eventually(lambda life=life: around.inbox.ids(life.sp_id))
            assert len(set(around.inbox.ids(life.sp_id))) == 1
        doubled = [times for times in Counter(around.inbox.ids()).values() if times > 1]
        assert len(doubled) <= LIMIT
        assert all(times == 2 for times in doubled)
