"""Orders that outgrow a history: state, what waits to go out and what was answered go on in the next run."""

import asyncio
import uuid
from pathlib import Path

from temporalio import activity

from contracts import activities as activity_names
from contracts import names
from domain.orders.commands import Accept, Cancel, ConfirmExecution, LogContact
from domain.orders.order import Status
from domain.orders.outgoing import Mail
from domain.orders.shipment import GoodsShipped
from tests.server.surroundings import Surroundings, details, eventually, surroundings
from tests.support.limits import WAIT_LIMIT
from tests.support.workers import BoundedRun, bounded_worker
from tests.workflows.life import SHOP, WAREHOUSE, Life
from tests.workflows.outside import Outside
from workflows.service_order import ServiceOrder

SMALL_HISTORIES = ("--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=60")


async def runs(around: Surroundings, life: Life) -> int:
    """How many runs of an order visibility shows. It may be a moment late."""
    return (await around.client.count_workflows(f'WorkflowId = "{life.sp_id}"')).count


async def until_runs(around: Surroundings, life: Life, wanted: int) -> None:
    """Wait until visibility knows of so many runs of an order."""

    async def there() -> bool:
        return await runs(around, life) >= wanted

    await eventually(there)


async def test_an_order_goes_on_over_several_runs_while_the_mail_server_is_down(
    tmp_path: Path,
) -> None:
    async with (
        surroundings(tmp_path, shared=True, server=SMALL_HISTORIES) as around,
        around.worker(),
    ):
        life = await around.place("SP-1")
        await around.reaches(life, Status.NEW)
        await life.do(Accept())
        await around.inbox.stop()
        first, second = str(uuid.uuid4()), str(uuid.uuid4())
        await life.do(LogContact(outcome="not_reached"), request_id=first)
        refused = str(uuid.uuid4())
        await life.tell(ConfirmExecution(), life.partner, request_id=refused)
        await life.do(LogContact(outcome="not_reached"), request_id=second)
        for _ in range(11):
            await life.do(LogContact(outcome="not_reached"))
        await life.tell(ConfirmExecution(), life.partner)
        contacts = 13
        while await runs(around, life) < 3:
            await life.do(LogContact(outcome="reached"))
            contacts += 1

        # What was answered in an earlier run is remembered.
        await life.do(LogContact(outcome="not_reached"), request_id=first)
        await life.tell(ConfirmExecution(), life.partner, request_id=refused)
        reused = await life.refused(Accept(), request_id=second)
        assert reused.type == names.ID_REUSED
        again = await life.refused(ConfirmExecution(), request_id=refused)
        assert again.type == names.REFUSED, "what was refused as a signal is not passed for done"
        events = await life.events()
        assert events.count("contact_logged") == contacts
        assert events.count("command_refused") == 2
        await around.check_records(life)
        description = await life.handle.describe()
        assert description.typed_search_attributes[names.SP_STATUS] == "check_requirements"
        assert "Anforderungen prüfen" in await details(life)

        await life.do(Cancel(reason="doch nicht"), SHOP)
        assert len(around.inbox.ids()) == 1
        await around.inbox.start()
        assert (await life.handle.result())["status"] == "cancelled"
        await around.check_records(life)
        subjects = [(m["To"].addresses[0].addr_spec, m["Subject"]) for m in around.inbox.mails()]
        assert len(set(around.inbox.ids())) == len(subjects) == 4
        assert "storniert" in subjects[-1][1] or "storniert" in subjects[1][1]


class SlowMail(Outside):
    """An outside whose first mail is on its way until it is let go, and then arrives or not."""

    def __init__(self, *, arrives: bool) -> None:
        super().__init__()
        self.sending = asyncio.Event()
        self.let_go = asyncio.Event()
        self._lost = not arrives

    @activity.defn(name=activity_names.SEND_MAIL)
    async def send_mail(self, mail: Mail) -> None:
        self.sending.set()
        await self.let_go.wait()
        if self._lost:
            self._lost = False
            raise ConnectionError("the mail server is away")
        await super().send_mail(mail)


def slow_worker(around: Surroundings, outside: Outside) -> BoundedRun:
    """A worker whose activities are these."""
    return bounded_worker(
        around.client,
        task_queue=names.ORDERS_QUEUE,
        workflows=[ServiceOrder],
        activities=outside.activities,
    )


async def wait_to_continue(around: Surroundings, outside: SlowMail) -> Life:
    """An order whose history is full while its first mail is on its way: it waits for that to continue as new."""
    life = await around.place("SP-1")
    await asyncio.wait_for(outside.sending.wait(), WAIT_LIMIT)
    number = 0
    while not await winding_up(life):
        number += 1
        await life.tell(GoodsShipped(tracking=f"99.00.{number}"), WAREHOUSE)
        await life.order()
    return life


async def test_a_cancellation_while_it_waits_for_a_mail_to_continue_as_new(tmp_path: Path) -> None:
    """Nothing new is begun then, the order is cancelled and not its workflow, and all is told in the next run."""
    outside = SlowMail(arrives=True)
    async with (
        surroundings(tmp_path, shared=True, server=SMALL_HISTORIES) as around,
        slow_worker(around, outside),
    ):
        life = await wait_to_continue(around, outside)
        await life.tell(ConfirmExecution(), life.partner)
        await life.handle.cancel()
        await eventually(lambda: is_cancelled(life))
        assert len(outside.mails) == 0
        outside.let_go.set()
        assert (await life.handle.result())["status"] == "cancelled"
        assert sorted(outside.kinds()) == ["cancelled", "command_refused", "new_order"]
        assert outside.kinds("partner") == ["new_order", "cancelled"]
        assert len(outside.timeline["SP-1"]) == (await life.order()).version
        await until_runs(around, life, 2)


async def test_a_mail_that_fails_while_it_is_called_back_is_sent_by_the_next_run(
    tmp_path: Path,
) -> None:
    outside = SlowMail(arrives=False)
    async with (
        surroundings(tmp_path, shared=True, server=SMALL_HISTORIES) as around,
        slow_worker(around, outside),
    ):
        life = await wait_to_continue(around, outside)
        outside.let_go.set()
        await eventually(lambda: outside.mails)
        await until_runs(around, life, 2)
        assert outside.kinds() == ["new_order"]
        await eventually(lambda: is_new(life))
        assert "mail_undelivered" not in await life.events()


async def winding_up(life: Life) -> bool:
    """Whether the order has called its activities back, to continue as new."""
    history = await life.handle.fetch_history()
    return any(
        event.HasField("activity_task_cancel_requested_event_attributes")
        for event in history.events
    )


async def is_cancelled(life: Life) -> bool:
    """Whether the order is."""
    return (await life.order()).status is Status.CANCELLED


async def is_new(life: Life) -> bool:
    """Whether the partner has it before him."""
    return (await life.order()).status is Status.NEW
