"""The morning's run on the server that skips time: all partners, some at a time, and nothing after closing time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from temporalio import activity
from temporalio.client import WorkflowFailureError, WorkflowHistory
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer, Worker

from contracts import names
from contracts.activities import (
    DIGEST_PARTNERS,
    SEND_DIGEST,
    DigestOutcome,
    DigestPage,
    DigestPartners,
    DigestWanted,
)
from contracts.messages import DigestCounts, DigestRun
from domain.policy import OfficePolicy
from temporal.connection import data_converter
from temporal.schedules import put_schedules
from tests.support.temporal_servers import dev_server, skipping_server
from workflows.daily_digest import AT_A_TIME, DailyDigest

DAY = date(2026, 10, 6)
HISTORY = Path(__file__).parents[1] / "histories" / "digest" / "one-morning.json"


class Morning:
    """Stands where records and mail server are: partners in pages, and how the mails to them fare."""

    def __init__(self, partners: int = 3, page: int = 2, open_for: timedelta | None = None) -> None:
        self.partners = [f"partner-{number:03}" for number in range(partners)]
        self.page = page
        self.open_for = timedelta(hours=10) if open_for is None else open_for
        self.closes: datetime | None = None
        self.outcomes: dict[str, DigestOutcome] = {}
        self.down: set[str] = set()
        self.sent: list[str] = []
        self.at: list[datetime] = []
        self.busy = self.busiest = self.attempts = 0

    @activity.defn(name=DIGEST_PARTNERS)
    async def digest_partners(self, page: DigestPage) -> DigestPartners:
        self.at.append(page.at)
        now = activity.info().started_time
        self.closes = self.closes or now + self.open_for
        later = [each for each in self.partners if page.after is None or each > page.after]
        return DigestPartners(
            day=DAY,
            closes=self.closes,
            partner_ids=tuple(later[: self.page]),
            resting=1,
            next=later[self.page - 1] if len(later) > self.page else None,
        )

    @activity.defn(name=SEND_DIGEST)
    async def send_digest(self, wanted: DigestWanted) -> DigestOutcome:
        self.attempts += 1
        if wanted.partner_id in self.down:
            if activity.info().started_time >= wanted.closes:
                return "too_late"
            raise ApplicationError("the mail server is away")
        self.busy += 1
        self.busiest = max(self.busy, self.busiest)
        await asyncio.sleep(0.02)  # so that those that may run side by side do
        self.busy -= 1
        self.sent.append(wanted.partner_id)
        return self.outcomes.get(wanted.partner_id, "sent")

    @asynccontextmanager
    async def working(self, env: WorkflowEnvironment) -> AsyncIterator[None]:
        async with Worker(
            env.client,
            task_queue=names.ORDERS_QUEUE,
            workflows=[DailyDigest],
            activities=[self.digest_partners, self.send_digest],
        ):
            yield

    async def run(self, env: WorkflowEnvironment, start: DigestRun | None = None) -> DigestCounts:
        tally: DigestCounts = await env.client.execute_workflow(
            names.DAILY_DIGEST,
            start or DigestRun(),
            id=names.DAILY_DIGEST_ID,
            task_queue=names.ORDERS_QUEUE,
            result_type=DigestCounts,
        )
        return tally


@pytest.fixture
async def env() -> AsyncIterator[WorkflowEnvironment]:
    async with skipping_server() as started:
        yield started


async def test_every_partner_page_by_page_some_at_a_time(env: WorkflowEnvironment) -> None:
    morning = Morning(partners=45, page=20)
    morning.outcomes = {"partner-001": "nothing_open", "partner-044": "refused"}
    async with morning.working(env):
        tally = await morning.run(env)
    assert sorted(morning.sent) == morning.partners
    assert tally == DigestCounts(sent=43, nothing_open=1, refused=1, resting=3)
    assert 1 < morning.busiest <= AT_A_TIME
    assert len(set(morning.at)) == 1  # one day, however long it takes


async def test_a_mail_server_that_comes_back_in_time(env: WorkflowEnvironment) -> None:
    morning = Morning(partners=2)
    morning.down = {"partner-000"}

    async def mend() -> None:
        while morning.attempts < 6:
            await asyncio.sleep(0.01)
        morning.down.clear()

    async with morning.working(env):
        tally, _ = await asyncio.gather(morning.run(env), mend())
    assert tally == DigestCounts(sent=2, resting=1)


async def test_what_cannot_be_sent_before_closing_time_is_dropped(env: WorkflowEnvironment) -> None:
    morning = Morning(partners=3, open_for=timedelta(minutes=30))
    morning.down = {"partner-000"}
    async with morning.working(env):
        tally = await morning.run(env)
    assert tally == DigestCounts(sent=2, failed=1, resting=2)
    assert morning.sent == ["partner-001", "partner-002"]  # which wait for nobody


async def test_a_run_after_closing_time_sends_nothing(env: WorkflowEnvironment) -> None:
    morning = Morning(open_for=timedelta(0))
    async with morning.working(env):
        assert await morning.run(env) == DigestCounts(resting=1)
    assert morning.sent == []


async def test_an_operator_may_stop_it(env: WorkflowEnvironment) -> None:
    morning = Morning()
    morning.down = set(morning.partners)
    async with morning.working(env):
        handle = await env.client.start_workflow(
            names.DAILY_DIGEST, DigestRun(), id="digest", task_queue=names.ORDERS_QUEUE
        )
        while not morning.attempts:
            await asyncio.sleep(0.01)
        await handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    assert (await handle.describe()).status.name == "CANCELED"


async def test_a_long_one_goes_over_several_runs() -> None:
    small = ("--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=40")
    morning = Morning(partners=24, page=8)
    async with dev_server(*small) as env, morning.working(env):
        at = datetime(2026, 10, 6, 6, 0, tzinfo=UTC)
        tally = await morning.run(env, DigestRun(at=at))
        first = await anext(env.client.list_workflows("WorkflowType = 'DailyDigest'"))
        runs = [each async for each in env.client.list_workflows("WorkflowType = 'DailyDigest'")]
    assert first.id == names.DAILY_DIGEST_ID
    assert len(runs) > 1
    assert tally == DigestCounts(sent=24, resting=3)
    assert set(morning.at) == {at}


async def test_it_starts_on_weekdays_when_the_offices_open() -> None:
    morning = Morning(partners=1)
    async with dev_server() as env, morning.working(env):
        await put_schedules(env.client, OfficePolicy(opens=time(7, 30)))
        handle = env.client.get_schedule_handle(names.DAILY_DIGEST_SCHEDULE)
        starts = [
            each.astimezone(ZoneInfo("Europe/Zurich"))
            for each in (await handle.describe()).info.next_action_times
        ]
        assert {each.time() for each in starts} == {time(7, 30)}
        assert {each.weekday() for each in starts} == set(range(5))
        before = datetime.now(UTC)
        await handle.trigger()
        while not morning.sent:
            await asyncio.sleep(0.05)
    (at,) = morning.at
    assert before - timedelta(seconds=2) < at < datetime.now(UTC)  # when it was meant to start


async def test_a_kept_history_replays() -> None:
    """Recorded by `python -m tests.record_histories`."""
    history = WorkflowHistory.from_json("one-morning", HISTORY.read_text())
    replayer = Replayer(workflows=[DailyDigest], data_converter=data_converter())
    await replayer.replay_workflow(history)


async def one_morning() -> WorkflowHistory:
    """A morning's history, with a mail server that is away for a while."""
    async with skipping_server() as env:
        await test_what_cannot_be_sent_before_closing_time_is_dropped(env)
        return await env.client.get_workflow_handle(names.DAILY_DIGEST_ID).fetch_history()
