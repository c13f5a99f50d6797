"""The reconciler on the real server: what it repairs, what it reports, what it leaves alone; and reviving an order."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, select, text
from temporalio import workflow
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import (
    DeleteWorkflowExecutionRequest,
    ResetWorkflowExecutionRequest,
)
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError

from activities import reconcile
from activities.entities import Entities, WorkflowAnswer
from activities.obsolete_mails import ObsoleteMails
from contracts import names
from contracts.activities import Snapshot
from contracts.keys import new_key
from contracts.messages import Pass, PassCounts, Start
from development.embedded import ROOT
from domain.orders.commands import Accept, Cancel, Command, ConfirmRequirements, LogContact
from domain.orders.lifecycle import fold, handle
from domain.orders.order import Status
from domain.policy import OfficePolicy
from mail.outbox import Outbox
from mail.smtp import SmtpSender
from records import tables
from records.findings import Findings
from records.mails import MailLog
from records.orders import StoredOrder
from records.reconciliation import Reconciliation
from records.settlements import Settlements
from temporal.connection import data_converter
from temporal.schedules import put_schedules
from tests.server.surroundings import Surroundings, eventually, surroundings
from tests.support.builders import ACCEPTED
from tests.support.builders import intake as an_intake
from tests.support.limits import ANSWER_LIMIT, WAIT_LIMIT
from tests.support.processes import run_python
from tests.support.temporal_servers import OFFERS_LOST_TASKS_SOON
from tests.support.workers import bounded_worker
from tests.workflows.life import DESK, SHOP, Life
from use_cases.revival import NotRevivable, Revival

CHECKED = ConfirmRequirements(
    checklist={"connections": "yes", "space": "yes", "passages": "not_applicable"}
)


@asynccontextmanager
async def working(folder: Path) -> AsyncIterator[Surroundings]:
    """Surroundings with a worker."""
    async with surroundings(folder, shared=True) as around, around.worker():
        yield around


async def one_pass(around: Surroundings, min_age: timedelta = timedelta(0)) -> PassCounts:
    """What a pass of the reconciler did."""
    tally: PassCounts = await around.client.execute_workflow(
        names.RECONCILER,
        Pass(min_age=min_age),
        id=names.RECONCILER_ID,
        task_queue=names.ORDERS_QUEUE,
        result_type=PassCounts,
        execution_timeout=ANSWER_LIMIT,
    )
    return tally


async def standing(around: Surroundings) -> list[tuple[str, str]]:
    """The findings that stand: of which order, and what."""
    return [(f.about, f.kind) for f in await Findings(around.database).open()]


async def all_findings(around: Surroundings) -> list[tuple[str, str, bool]]:
    """All findings ever, and whether each was repaired."""
    async with around.database.reading() as connection:
        rows = await connection.execute(text("SELECT about, kind, repaired FROM findings"))
        return [(sp_id, kind, bool(repaired)) for sp_id, kind, repaired in rows]


async def forget(around: Surroundings, sp_id: str) -> None:
    """Delete an order from the records, locked first as by all that write it."""
    locked = select(tables.orders.c.sp_id).where(tables.orders.c.sp_id == sp_id).with_for_update()
    async with around.database.writing() as connection:
        await connection.execute(locked)
        for table in (tables.timeline, tables.deadlines, tables.documents, tables.orders):
            await connection.execute(delete(table).where(table.c.sp_id == sp_id))


async def accepted(around: Surroundings, sp_id: str) -> Life:
    """An order that its partner has accepted."""
    life = await around.place(sp_id)
    await around.reaches(life, Status.NEW)
    await around.notified(life)
    await life.do(Accept())
    await around.reaches(life, Status.CHECK_REQUIREMENTS)
    await around.check_records(life)
    return life


def digests(around: Surroundings) -> list[str]:
    """What operations were sent by the reconciler, oldest first."""
    return [
        mail.get_body(("plain",)).get_content()
        for mail in around.inbox.mails("CMI:")
        if mail["To"] == around.settings.mail_operations
    ]


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look a second time soon. On a busy machine an answer may take long, and none is another finding."""
    monkeypatch.setattr(reconcile, "COMPARE_AGAIN_AFTER", 0.3)
    monkeypatch.setattr(reconcile, "QUERY_TIMEOUT", WAIT_LIMIT)


async def test_healthy_orders_are_left_alone_and_not_asked_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = reconcile.ReconcileActivities._ask

    async def counted(
        self: reconcile.ReconcileActivities, entities: Entities, workflow_id: str
    ) -> WorkflowAnswer | None:
        asked.append(workflow_id)
        return await real(self, entities, workflow_id)

    monkeypatch.setattr(reconcile.ReconcileActivities, "_ask", counted)
    async with working(tmp_path) as around:
        first, second, closed = [await around.begin(f"SP-{n}", *ACCEPTED) for n in (1, 2, 3)]
        await closed.do(Cancel(reason="doch nicht"), SHOP)
        await closed.handle.result()
        await around.reaches(closed, Status.CANCELLED)
        before = await first.snapshot()

        assert await one_pass(around) == PassCounts(compared=3)
        assert sorted(asked) == ["SP-1", "SP-2", "SP-3"]
        assert await one_pass(around) == PassCounts(compared=2)
        assert len(asked) == 3, "neither order nor row has moved: nobody need ask again"
        await second.do(LogContact(outcome="reached"))
        await around.check_records(second)
        assert await one_pass(around) == PassCounts(compared=2)
        assert asked[3:] == ["SP-2"]

        assert await first.snapshot() == before
        assert await standing(around) == []
        assert await all_findings(around) == []
        assert digests(around) == []


async def test_terminated_by_hand_is_reported_once_and_revived(tmp_path: Path) -> None:
    async with working(tmp_path) as around:
        life = await accepted(around, "SP-1")
        healthy = await around.begin("SP-2", *ACCEPTED)
        await life.handle.terminate("wrong button")
        assert await one_pass(around) == PassCounts(compared=2, found=1)
        assert await standing(around) == [("SP-1", "terminated")]
        (mail,) = digests(around)
        assert "SP-1: Ablauf von Hand beendet (terminated)" in mail
        assert "SP-2" not in mail
        assert "Regula" not in mail
        for _ in range(2):
            assert (await one_pass(around)).found == 1
        assert len(digests(around)) == 1, "not again for the same"

        # Another one is another mail, about that one.
        await healthy.handle.terminate()
        await one_pass(around)
        assert len(digests(around)) == 2
        assert "SP-1" not in digests(around)[1].split("Temporal öffnen")[0].replace("SP-ID", "")
        assert "Insgesamt sind 2 offen" in digests(around)[1]

        # Revived by the command, as operations do it.
        done = await starter(around, "revive", "SP-1")
        assert (done.returncode, done.stderr) == (0, "")
        before = (await around.orders.get("SP-1")).order
        assert done.stdout == f"SP-1 check_requirements goes on from version {before.version}\n"
        await life.do(LogContact(outcome="reached"))
        await life.do(CHECKED)
        await around.reaches(life, Status.REQUIREMENTS_MET)
        await around.check_records(life)
        await eventually(lambda: around.requests() == ["SP-1-1"])
        assert len(around.inbox.mails("SP-1")) == 1, "the first mail was sent in the first life"

        await one_pass(around)
        assert await standing(around) == [("SP-2", "terminated")], "the finding ends by itself"
        # The same order once more is news.
        await life.handle.terminate()
        await one_pass(around)
        assert len(digests(around)) == 3


async def test_a_stale_row_is_repaired(tmp_path: Path) -> None:
    async with working(tmp_path) as around:
        life = await around.begin("SP-1", *ACCEPTED)
        before = await around.orders.get("SP-1")
        await life.do(LogContact(outcome="reached"))
        await around.check_records(life)
        await one_pass(around)
        # As if the database had been brought back from a copy.
        await forget(around, "SP-1")
        await around.orders.save(_snapshot(before))
        assert await one_pass(around) == PassCounts(compared=1, repaired=1)
        await around.check_records(life)
        assert await all_findings(around) == [("SP-1", "stale", True)]
        assert digests(around) == []
        assert (await one_pass(around)).repaired == 0


async def test_events_that_did_not_happen_are_found_and_replaced(tmp_path: Path) -> None:
    """Records that tell another life, at the same version, ahead, or of an order that is closed."""
    async with working(tmp_path) as around:
        lives = [await around.begin(f"SP-{number}", *ACCEPTED) for number in range(4)]
        await lives[3].do(Cancel(reason="doch nicht"), SHOP)
        await lives[3].handle.result()
        await around.reaches(lives[3], Status.CANCELLED)
        phantoms: list[Command] = [
            LogContact(outcome="reached"),
            CHECKED,
            Cancel(reason="nie geschehen"),
        ]
        for life, number in zip(lives, (0, 1, 3, 2), strict=True):
            # The last event is taken back and others are written in its place, as by a worker that died before
            # Temporal had kept its task.
            snapshot = await life.snapshot()
            events = snapshot.events[:-1]
            order = fold(snapshot.order.intake, events)
            again = () if snapshot.order.status.is_final else (Accept(),)
            for command in (*again, *phantoms[:number]):
                actor = SHOP if isinstance(command, Cancel) else life.partner
                order, more = handle(order, command, actor, datetime.now(UTC))
                events += more
            head = await around.orders.head(life.sp_id)
            await around.orders.save(Snapshot(order=order, events=events), replaces=head)
        tally = await one_pass(around)
        assert (tally.repaired, tally.found) == (4, 0)
        for life in lives:
            assert await around.orders.holds(await around.check_records(life))
        found = {(sp_id, kind) for sp_id, kind, repaired in await all_findings(around) if repaired}
        assert {sp_id for sp_id, _ in found} == {"SP-0", "SP-1", "SP-2", "SP-3"}
        assert ("SP-0", "different") in found
        assert ("SP-1", "reset") in found
        assert (await one_pass(around)).repaired == 0


async def test_runs_of_an_older_shell_go_on_in_a_new_run(tmp_path: Path) -> None:
    async with working(tmp_path) as around:
        intake = an_intake(day=datetime.now(UTC).date(), sp_id="SP-1", policy=around.policy)
        await around.client.start_workflow(
            names.SERVICE_ORDER,
            Start(desk=DESK, intake=intake, placed_at=datetime.now(UTC)),
            id="SP-1",
            task_queue=names.ORDERS_QUEUE,
        )
        life = Life(around, intake)
        await around.reaches(life, Status.NEW)
        await life.do(Accept())
        await around.check_records(life)
        assert (await life.snapshot()).shell == 1
        await one_pass(around)

        async def renewed() -> bool:
            return (await life.snapshot()).shell == names.SHELL

        await eventually(renewed)
        await life.do(CHECKED)
        await around.check_records(life)


async def test_a_deleted_row_is_written_again(tmp_path: Path) -> None:
    async with working(tmp_path) as around:
        life = await around.begin("SP-1", *ACCEPTED)
        await forget(around, "SP-1")
        assert (await one_pass(around, timedelta(minutes=10))).repaired == 0, "it is too young"
        await _listed(around, "SP-1")
        assert await one_pass(around) == PassCounts(repaired=1)
        await around.check_records(life)
        assert await all_findings(around) == [("SP-1", "unrecorded", True)]


async def test_a_row_that_missed_the_end_is_closed(tmp_path: Path) -> None:
    async with working(tmp_path) as around:
        life = await around.begin("SP-1", *ACCEPTED)
        before = await around.orders.get("SP-1")
        await life.do(Cancel(reason="doch nicht"), SHOP)
        await life.handle.result()
        await forget(around, "SP-1")
        await around.orders.save(_snapshot(before))
        assert await one_pass(around) == PassCounts(compared=1, repaired=1)
        assert (await around.orders.get("SP-1")).order.status is Status.CANCELLED
        assert await standing(around) == []
        assert await one_pass(around) == PassCounts(compared=1), "once more, now that it is closed"
        assert await one_pass(around) == PassCounts()


async def test_a_workflow_that_is_gone_and_one_that_was_reset(tmp_path: Path) -> None:
    async with working(tmp_path) as around:
        gone, back = await around.begin("SP-1", *ACCEPTED), await accepted(around, "SP-2")
        service, namespace = around.client.workflow_service, around.client.namespace
        await service.delete_workflow_execution(
            DeleteWorkflowExecutionRequest(
                namespace=namespace, workflow_execution=WorkflowExecution(workflow_id="SP-1")
            )
        )
        await eventually(lambda: _unknown(gone))
        await back.do(CHECKED)
        await around.check_records(back)
        history = await back.handle.fetch_history()
        task = next(
            event.event_id
            for event in history.events
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
        )
        await service.reset_workflow_execution(
            ResetWorkflowExecutionRequest(
                namespace=namespace,
                workflow_execution=WorkflowExecution(workflow_id="SP-2"),
                workflow_task_finish_event_id=task,
                reset_reapply_exclude_types=[1, 2],  # neither signals nor updates are applied anew
                request_id="reset",
            )
        )
        assert (await one_pass(around)).found == 1
        assert await standing(around) == [("SP-1", "missing")]
        # The run that was reset has asked for its records to be replaced, or the reconciler has.
        await around.check_records(back)
        (mail,) = digests(around)
        assert "SP-1: Ablauf fehlt in Temporal" in mail

        await _revival(around).revive("SP-1")
        await gone.do(CHECKED)
        await around.reaches(gone, Status.REQUIREMENTS_MET)
        with pytest.raises(NotRevivable, match="its workflow is running"):
            await _revival(around).revive("SP-2")
        # What was done after the point to which it was reset has to be done again.
        await around.reaches(back, Status.NEW)
        await back.do(Accept())
        await around.check_records(back)
        await back.handle.terminate()
        order = await _revival(around).revive("SP-2")
        assert order.status is Status.CHECK_REQUIREMENTS


@workflow.defn(name=names.SERVICE_ORDER)
class Broken:
    """What a mistake of ours would be."""

    @workflow.run
    async def run(self, start: dict[str, object]) -> None:
        raise RuntimeError("a mistake of ours")


async def test_a_workflow_whose_tasks_fail_is_stuck(tmp_path: Path) -> None:
    async with surroundings(tmp_path, shared=True, server=OFFERS_LOST_TASKS_SOON) as around:
        life = await around.place("SP-1")
        async with bounded_worker(
            around.client,
            task_queue=names.ORDERS_QUEUE,
            workflows=[Broken],
        ):

            async def failing() -> bool:
                description = await life.handle.describe()
                return description.raw_description.pending_workflow_task.attempt >= 3

            await eventually(failing)
            mails = MailLog(around.database)
            compared = reconcile.ReconcileActivities(
                around.settings, around.client, around.orders, Settlements(around.database),
                Reconciliation(around.database), Outbox(mails, SmtpSender(around.settings)),
                ObsoleteMails(mails, around.orders, Settlements(around.database)),
            )  # fmt: skip
            (row,) = await compared._orders.rows(["SP-1"])
            assert (await compared._compare_one(compared._orders, row, None)).kind == "stuck"
        async with around.worker():
            await around.reaches(life, Status.NEW)


async def test_what_changes_while_it_is_looked_at_is_no_finding(tmp_path: Path) -> None:
    """Orders that go on all the time, and pass after pass."""
    async with working(tmp_path) as around:
        lives = [await around.begin(f"SP-{number}", *ACCEPTED) for number in range(4)]

        async def busy(life: Life) -> None:
            for _ in range(15):
                await life.do(LogContact(outcome="not_reached"))
            await life.do(Cancel(reason="doch nicht"), SHOP)

        work = asyncio.gather(*(busy(life) for life in lives))
        tallies = []
        while not work.done():
            tallies.append(await one_pass(around))
        await work
        assert tallies
        assert {tally.found for tally in tallies} == {0}
        assert await standing(around) == []
        for life in lives:
            await around.check_records(life)


async def test_a_mail_server_that_is_away_delays_the_report_only(tmp_path: Path) -> None:
    async with working(tmp_path) as around:
        life = await around.begin("SP-1", *ACCEPTED)
        await around.check_records(life)  # before its first task it would answer no query
        await life.handle.terminate()
        await around.inbox.stop()
        work = asyncio.create_task(one_pass(around))
        await eventually(lambda: _tried(around))
        assert await standing(around) == [("SP-1", "terminated")]
        await around.inbox.start()
        await work
        await one_pass(around)
        assert len(digests(around)) == 1


async def test_many_orders_go_in_batches_and_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "BATCH", 3)
    suggest = ("--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=10")
    async with surroundings(tmp_path, server=suggest) as around, around.worker():
        lives = [await around.place(f"SP-{number}", prepaid=True) for number in range(7)]
        await lives[4].handle.terminate()
        for life in lives:
            if life is not lives[4]:
                await around.check_records(life)
        tally = await one_pass(around)
        assert (tally.compared, tally.found) == (7, 1)
        runs = [
            w async for w in around.client.list_workflows(f'WorkflowId = "{names.RECONCILER_ID}"')
        ]
        assert any(w.status is WorkflowExecutionStatus.CONTINUED_AS_NEW for w in runs)


async def test_reviving_needs_an_open_order_without_a_workflow(tmp_path: Path) -> None:
    async with working(tmp_path) as around:
        nobody = await starter(around, "revive", "SP-7")
        assert (nobody.returncode, nobody.stderr) == (2, "SP-7: the records know no such order\n")
        life = await around.begin("SP-1", *ACCEPTED)
        running = await starter(around, "revive", "SP-1")
        assert running.returncode == 2
        assert "SP-1: its workflow is running" in running.stderr
        await life.do(Cancel(reason="doch nicht"), SHOP)
        await life.handle.result()
        await around.reaches(life, Status.CANCELLED)
        with pytest.raises(NotRevivable, match="SP-1 is cancelled"):
            await _revival(around).revive("SP-1")


async def test_what_was_to_go_out_goes_out_after_a_revival(tmp_path: Path) -> None:
    """Terminated while its first mail waited for the mail server: no mail, no transmission, unless it is sent again."""
    async with working(tmp_path) as around:
        await around.inbox.stop()
        life = await around.place("SP-1")
        await eventually(lambda: _tried(around))
        await life.handle.terminate()
        await around.inbox.start()
        await _revival(around).revive("SP-1")
        await around.notified(life)
        assert len(around.inbox.mails("SP-1")) == 1
        await around.check_records(life)


async def test_what_the_records_missed_before_the_end_is_not_lost(tmp_path: Path) -> None:
    async with working(tmp_path) as around:
        life = await around.begin("SP-1", *ACCEPTED)
        before = await around.orders.get("SP-1")
        await life.do(LogContact(outcome="reached"))
        last = await life.order()
        await life.handle.terminate()
        await forget(around, "SP-1")
        await around.orders.save(_snapshot(before))
        await one_pass(around)
        assert await standing(around) == [("SP-1", "terminated")]
        assert (await around.orders.get("SP-1")).order == last
        assert (await _revival(around).revive("SP-1")).version == last.version


async def test_schedules_are_created_once_and_stay_paused(tmp_path: Path) -> None:
    async with surroundings(tmp_path, shared=True) as around:
        first = await starter(around, "schedules")
        assert (first.returncode, first.stdout) == (
            0,
            "reconciler created\ndaily-digest created\ndata-retention created\nmonthly-billing created\n",
        )
        handle = around.client.get_schedule_handle(names.RECONCILER_SCHEDULE)
        await handle.pause(note="maintenance")
        assert await put_schedules(around.client, OfficePolicy()) == {
            "reconciler": False,
            "daily-digest": False,
            "data-retention": False,
            "monthly-billing": False,
        }
        schedule = (await handle.describe()).schedule
        assert (schedule.state.paused, schedule.state.note) == (True, "maintenance")
        assert schedule.spec.intervals[0].every == timedelta(minutes=15)
        async with around.worker():
            await around.begin("SP-1", *ACCEPTED)
            await (
                handle.trigger()
            )  # it stays paused, or it would also start by itself at a quarter of an hour

            async def done() -> bool:
                return bool((await handle.describe()).info.recent_actions)

            await eventually(done)
            (action,) = (await handle.describe()).info.recent_actions
            run = around.client.get_workflow_handle(
                action.action.workflow_id, result_type=PassCounts
            )
            assert (await run.result()).compared == 1


async def test_it_works_under_encryption(tmp_path: Path) -> None:
    key = new_key("k")
    async with surroundings(tmp_path, shared=True, CMI_ENCRYPTION_KEYS=key) as around:
        # `around.client` is made without these settings
        around.client = await Client.connect(
            around.address,
            namespace=around.namespace,
            data_converter=data_converter(around.settings, around.database),
        )
        async with around.worker():
            assert (await starter(around, "schedules")).returncode == 0
            life = await accepted(around, "SP-1")
            await life.handle.terminate()
            assert (await one_pass(around)).found == 1
            assert (await starter(around, "revive", "SP-1")).returncode == 0
            await life.do(CHECKED)
            await around.reaches(life, Status.REQUIREMENTS_MET)


# --- helpers -----------------------------------------------------------------------------------------------------


def _snapshot(stored: StoredOrder) -> Snapshot:
    return Snapshot(order=stored.order, events=stored.events)


def _revival(around: Surroundings) -> Revival:
    return Revival(around.client, around.orders, MailLog(around.database), DESK)


async def _unknown(life: Life) -> bool:
    try:
        await life.handle.describe()
    except RPCError:
        return True
    return False


async def _tried(around: Surroundings) -> bool:
    return bool(await MailLog(around.database).undelivered())


async def _listed(around: Surroundings, sp_id: str) -> None:
    async def there() -> bool:
        return (await around.client.count_workflows(f'WorkflowId = "{sp_id}"')).count > 0

    await eventually(there)


async def starter(around: Surroundings, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, as operations call it."""
    return await run_python([str(ROOT / "starter.py"), *arguments], around.env)
