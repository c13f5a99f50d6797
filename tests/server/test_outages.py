"""After an outage nobody is late because of us: deadlines that ran meanwhile are due later, and say why."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.client import WorkflowExecutionStatus

from domain.cantons import pin_calendar
from domain.orders.events import Recorded
from domain.orders.explanation import explain
from domain.orders.internal import PassTime
from domain.orders.lifecycle import handle
from domain.orders.order import Order
from domain.outages import ProcessKind
from domain.policy import Policy
from records.outages import Outages
from tests.server.surroundings import Surroundings, eventually, surroundings
from tests.support.builders import SYSTEM, TRANSMITTED, Step, intake, lived
from use_cases import outages as use_cases
from use_cases.outages import OutageWatch
from web.app import create_app
from words import explanation_text

AFTER = timedelta(minutes=15)
NOW = datetime.now(UTC)
POLICY = Policy()
CALENDAR = pin_calendar("ZH", POLICY, (NOW - timedelta(days=30)).date())


class Died(BaseException):
    """The process is gone."""


def working_morning(days: int) -> datetime:
    """08:00 on the working day that is so many working days before today."""
    day = NOW.date()
    while days:
        day -= timedelta(days=1)
        days -= CALENDAR.is_working_day(day)
    return CALENDAR.instant(day, CALENDAR.opens)


PLACED = working_morning(2)
SEEN_LAST = PLACED + timedelta(hours=3)


async def seen(around: Surroundings, kind: ProcessKind, at: datetime = SEEN_LAST) -> None:
    """A process of this kind was alive then, and none has been since."""
    await Outages(around.database).beat(kind, "former", at, lambda *_: None)


async def sent(
    around: Surroundings, sp_id: str, *steps: Step, rules: int = 2
) -> tuple[Order, tuple[Recorded, ...]]:
    """An order that was sent before the outage, whose timers ran out during it. No worker has seen that."""
    of = intake(sp_id=sp_id, day=PLACED.date()).model_copy(update={"rules": rules})
    order, events = lived(*(steps or TRANSMITTED), of=of, at=PLACED)
    await around.begin_with(order, events)
    return order, events


async def stretched(around: Surroundings, sp_id: str) -> Order:
    """The order, once the records show that it was told."""

    async def told() -> Order | None:
        held = await around.orders.get(sp_id)
        assert held is not None
        return held.order if any(d.stretched for d in held.order.deadlines) else None

    found: Order = await eventually(told)
    return found


async def test_a_deadline_that_passed_while_no_worker_was_up_is_due_later(tmp_path: Path) -> None:
    async with surroundings(tmp_path, shared=True) as around:
        before, _ = await sent(around, "SP-1")
        await sent(around, "SP-old", rules=1)
        due = before.open_deadlines[0].due
        assert due < NOW
        missed, _ = handle(before, PassTime(), SYSTEM, NOW)
        assert any(d.missed for d in missed.deadlines), "without the outage it would be missed"
        await seen(around, "worker")
        await around.start_worker_process()
        order = await stretched(around, "SP-1")
        assert not any(deadline.missed for deadline in order.deadlines)
        accept = next(d for d in order.open_deadlines if d.kind == "accept")
        assert accept.due > datetime.now(UTC)
        # Two working days less three and a half hours were left of it, and are left again.
        text = explanation_text(explain(order, accept), "de")
        assert "verlängert, weil" in text
        held = await around.orders.get("SP-1")
        assert held is not None
        kinds = [each.event.type for each in held.events[len(before.deadlines) :]]
        assert "deadline_missed" not in kinds
        assert "escalated" not in kinds
        assert not [m for m in around.inbox.mails("SP-1") if "überfällig" in str(m["Subject"])]
        assert await Outages(around.database).open() == ()

        # An order of the first rules is late, as before.
        async def late() -> bool:
            held = await around.orders.get("SP-old")
            return held is not None and any(d.missed for d in held.order.deadlines)

        await eventually(late)

        # Another worker finds nothing more.
        around.worker_process.kill()
        version = order.version
        await around.start_worker_process()
        assert (await stretched(around, "SP-1")).version == version


async def test_who_dies_in_between_is_gone_on_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with surroundings(tmp_path, shared=True) as around:
        for number in range(3):
            await sent(around, f"SP-{number}")
        await seen(around, "worker")
        watch = OutageWatch(around.client, around.database, around.policy, "worker", AFTER)
        monkeypatch.setattr(use_cases, "BATCH", 1)
        told: list[str] = []
        tell = watch._tell_order

        async def die(outage: object, sp_id: str, turns: object) -> None:
            if len(told) == 2:
                raise Died
            told.append(sp_id)
            await tell(outage, sp_id, turns)  # type: ignore[arg-type]

        monkeypatch.setattr(watch, "_tell_order", die)
        with pytest.raises(Died):
            await watch.check()
        [left] = await Outages(around.database).open()
        assert left.done_until == "SP-1"
        await around.start_worker_process()
        for number in range(3):
            await stretched(around, f"SP-{number}")
        assert await Outages(around.database).open() == ()


async def test_an_outage_of_the_web_is_found_by_the_web(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers were up, and have counted the deadline as missed: afterwards it was not."""
    async with surroundings(tmp_path, shared=True) as around:
        monkeypatch.setenv("TEMPORAL_ADDRESS", around.address)
        monkeypatch.setenv("TEMPORAL_NAMESPACE", around.namespace)
        await sent(around, "SP-1")
        await seen(around, "web")
        async with around.worker():

            async def missed() -> bool:
                held = await around.orders.get("SP-1")
                return held is not None and any(d.missed for d in held.order.deadlines)

            await eventually(missed)
            app = create_app(around.settings)
            async with app.router.lifespan_context(app):
                order = await stretched(around, "SP-1")
            assert not any(deadline.missed for deadline in order.deadlines)


async def test_two_kinds_that_were_down_together_count_once(tmp_path: Path) -> None:
    async with surroundings(tmp_path, shared=True) as around:
        await sent(around, "SP-1")
        for kind in ("worker", "web"):
            await seen(around, kind)  # type: ignore[arg-type]
        for kind in ("web", "worker"):
            watch = OutageWatch(around.client, around.database, around.policy, kind, AFTER)  # type: ignore[arg-type]
            await watch.come_back()
        await around.start_worker_process()
        order = await stretched(around, "SP-1")
        lost = CALENDAR.office_time(SEEN_LAST, datetime.now(UTC))
        accept = next(d for d in order.open_deadlines if d.kind == "accept")
        assert abs(accept.stretched - lost) < timedelta(minutes=3)


async def test_a_first_start_stretches_nothing(tmp_path: Path) -> None:
    async with surroundings(tmp_path, shared=True) as around:
        before, _ = await sent(around, "SP-1", timedelta(minutes=1))
        watch = OutageWatch(around.client, around.database, around.policy, "worker", AFTER)
        await watch.come_back()
        assert await Outages(around.database).open() == ()
        handle_ = around.client.get_workflow_handle("SP-1")
        described = await handle_.describe()
        assert described.status is WorkflowExecutionStatus.RUNNING
        signals = [
            e async for e in handle_.fetch_history_events() if "SIGNALED" in str(e.event_type)
        ]
        assert not signals
        assert not any(d.stretched for d in before.deadlines)
