"""From one build of the workers to the next and back, with orders and settlements under way (Worker Versioning)."""

import asyncio
import itertools
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from temporalio.api.enums.v1 import RoutingConfigUpdateState
from temporalio.api.workflowservice.v1 import (
    DescribeWorkerDeploymentRequest,
    DescribeWorkerDeploymentVersionRequest,
)
from temporalio.client import WorkflowHandle
from temporalio.common import WorkerDeploymentVersion
from temporalio.service import RPCError, RPCStatusCode

from contracts import names
from development.embedded import ROOT, temporal_binary
from domain.months import Month
from domain.orders.commands import Accept, LogContact
from domain.orders.order import Status
from domain.settlements.commands import (
    ApproveInvoice,
    Close,
    ExternalCommand,
    NoteInvoice,
    NotePaid,
    Select,
    SettlementRequest,
    VoidSettlement,
)
from domain.settlements.settlement import SettlementStatus
from temporal.settlements import send_settlement_command
from tests.server.endings import ACCOUNTING
from tests.server.settlements import (
    HUBER,
    NOVEMBER,
    OCTOBER,
    SettlementOffice,
    of_huber,
    settlement_office,
)
from tests.server.surroundings import Surroundings, eventually
from tests.support.builders import OPERATIONS, partner_actor
from tests.support.limits import ANSWER_LIMIT, WAIT_LIMIT
from tests.support.processes import Process

DEPLOYMENT = "cmi"

# The server's own workflows of a deployment count as well, and with its queues they need more than 60 events: below
# that they go over into new runs all the time, and a new version never becomes current.
SMALL_HISTORIES = ("--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=150")


class Build:
    """The worker process of one build, and what is asked of the server about it."""

    def __init__(self, around: Surroundings, build_id: str, **env: str) -> None:
        self._around = around
        self._client = around.client
        self._version = WorkerDeploymentVersion(DEPLOYMENT, build_id)
        self._alive = around.folder / f"alive-{build_id}"
        self._process = Process(
            [sys.executable, str(ROOT / "worker.py")],
            {
                **around.env,
                "CMI_DEPLOYMENT_NAME": DEPLOYMENT,
                "CMI_BUILD_ID": build_id,
                "CMI_WORKER_LIVENESS_FILE": str(self._alive),
                **env,
            },
            around.folder / f"worker-{build_id}.log",
        )
        self.kill = self._process.kill

    async def start(self) -> None:
        """Start it, and wait until the server knows that it serves all four kinds of tasks."""
        self._process.start()
        await eventually(self._alive.exists)
        await eventually(self._is_known)

    async def _is_known(self) -> bool:
        request = DescribeWorkerDeploymentVersionRequest(
            namespace=self._client.namespace, deployment_version=self._version._to_proto()
        )
        try:
            told = await self._client.workflow_service.describe_worker_deployment_version(request)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return False
        return len(told.version_task_queues) == 4

    async def stop(self) -> None:
        """SIGTERM, as a deployment does it."""
        self._process.terminate()
        assert await self._process.exit_code() == 0

    async def becomes_current(self) -> None:
        """The command of docs/operations.md. What is new, and orders, go to this build from here on."""
        await temporal(
            self._around,
            *("worker", "deployment", "set-current-version", "--yes"),
            *("--deployment-name", DEPLOYMENT, "--build-id", self._version.build_id),
        )
        await eventually(self._is_routed_to)

    async def _is_routed_to(self) -> bool:
        request = DescribeWorkerDeploymentRequest(
            namespace=self._client.namespace, deployment_name=DEPLOYMENT
        )
        told = await self._client.workflow_service.describe_worker_deployment(request)
        info = told.worker_deployment_info
        done = RoutingConfigUpdateState.ROUTING_CONFIG_UPDATE_STATE_COMPLETED
        return (
            info.routing_config.current_deployment_version.build_id == self._version.build_id
            and info.routing_config_update_state == done
        )


async def temporal(around: Surroundings, *arguments: str) -> str:
    """What the Temporal CLI says on this server."""
    done = await asyncio.to_thread(
        subprocess.run,
        [temporal_binary(), *arguments, "--address", around.address],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(around.folder)},
        timeout=WAIT_LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def builds(handle: WorkflowHandle[Any, Any]) -> list[str]:
    """The builds that did the workflow's tasks, in order, each once in a row; "" without a version."""
    found: list[str] = []
    async for event in handle.fetch_history_events():
        if event.HasField("workflow_task_completed_event_attributes"):
            done = event.workflow_task_completed_event_attributes
            if found[-1:] != [done.deployment_version.build_id]:
                found.append(done.deployment_version.build_id)
    return found


async def doers(handle: WorkflowHandle[Any, Any]) -> set[str]:
    """The processes that did the workflow's tasks and activities."""
    found = set()
    async for event in handle.fetch_history_events():
        if event.HasField("workflow_task_completed_event_attributes"):
            found.add(event.workflow_task_completed_event_attributes.identity)
        if event.HasField("activity_task_completed_event_attributes"):
            found.add(event.activity_task_completed_event_attributes.identity)
    return found


def settlement(office: SettlementOffice, month: Month) -> WorkflowHandle[Any, Any]:
    """The workflow of Huber's settlement."""
    workflow_id = names.settlement_workflow_id(HUBER, month)
    return office.around.client.get_workflow_handle(workflow_id)


async def tell(office: SettlementOffice, month: Month, command: ExternalCommand) -> None:
    """Have Huber's settlement take a command."""
    match command:
        case NoteInvoice() | VoidSettlement():
            actor = OPERATIONS
        case ApproveInvoice() | NotePaid():
            actor = ACCOUNTING
        case _:
            actor = partner_actor()
    request = SettlementRequest(command=command, actor=actor, request_id=str(uuid.uuid4()))
    await send_settlement_command(office.around.client, of_huber(month), request, ANSWER_LIMIT)


@asynccontextmanager
async def two_builds(office: SettlementOffice) -> AsyncIterator[tuple[Build, Build]]:
    """Two builds that end with the block; the newer one has its workflows in the sandbox."""
    old, new = Build(office.around, "A"), Build(office.around, "B", CMI_SANDBOX="on")
    try:
        yield old, new
    finally:
        old.kill()
        new.kill()


async def test_from_one_build_to_the_next_and_back(tmp_path: Path) -> None:
    async with (
        settlement_office(tmp_path, shared=False) as office,
        two_builds(office) as (old, new),
    ):
        await roll(office, old, new)


async def roll(office: SettlementOffice, old: Build, new: Build) -> None:
    """Versioning is switched on with `old`; then `new` comes, and goes."""
    around = office.around
    await around.start_worker_process()
    before = await around.place("SP-1")
    await around.reaches(before, Status.NEW)

    # Switched on: what runs without a version moves on to the first one.
    await old.start()
    await old.becomes_current()
    around.worker_process.terminate()
    assert await around.worker_process.exit_code() == 0
    await before.do(Accept())
    assert await builds(before.handle) == ["", "A"]

    # Under way when the next build comes: an order that waits, one whose mail does not get out, a settlement.
    waiting = await around.place("SP-2")
    await around.reaches(waiting, Status.NEW)
    picked = await office.complete(["SP-11", "SP-12"])
    first = settlement(office, OCTOBER)
    first_number = await office.open(*picked, automatic=True)
    await office.reaches(first_number, SettlementStatus.OPEN)
    await eventually(lambda: around.inbox.ids(first_number))
    await around.inbox.stop()
    unsent = await around.place("SP-3")
    await eventually(lambda: is_retried(unsent.handle))

    await new.start()
    await new.becomes_current()
    await around.inbox.start()
    await around.notified(unsent)
    await waiting.do(Accept())
    for each in (unsent, waiting):
        assert await builds(each.handle) == ["A", "B"]
    late = await around.place("SP-4")
    await around.reaches(late, Status.NEW)
    assert await builds(late.handle) == ["B"]

    # The settlement stays where it began until it is done, its orders and its statement with it; a new one is B's.
    await tell(office, OCTOBER, Close())
    await office.reaches(first_number, SettlementStatus.ISSUED)
    for command in (NoteInvoice(), ApproveInvoice(), NotePaid(paid_on=office.today)):
        await tell(office, OCTOBER, command)
    await first.result()
    assert await builds(first) == ["A"]
    assert len(await doers(first)) == 1, "its activities of both queues, too"
    assert set((await office.billed_by(picked)).values()) == {first_number}
    second = settlement(office, NOVEMBER)
    picked = await office.complete(["SP-13"])
    second_number = await office.open(*picked, month=NOVEMBER, automatic=True)
    await office.reaches(second_number, SettlementStatus.OPEN)
    assert await builds(second) == ["B"]
    assert await doers(second) != await doers(first)

    # Back: B's orders go on on A at once; B's settlement is moved, by the commands of docs/operations.md.
    await old.becomes_current()
    await late.do(Accept())
    await waiting.do(LogContact(outcome="reached"))
    await unsent.do(Accept())
    assert await builds(late.handle) == ["B", "A"]
    for each in (waiting, unsent):
        assert await builds(each.handle) == ["A", "B", "A"]
    await eventually(lambda: is_listed(around, second.id))
    await temporal(
        around,
        *("workflow", "update-options", "--query", PINNED_TO_B, "--yes"),
        *("--versioning-override-behavior", "one_time"),
        *("--versioning-override-deployment-name", DEPLOYMENT),
        *("--versioning-override-build-id", "A"),
    )
    await new.stop()
    await tell(office, NOVEMBER, VoidSettlement(reason="Falscher Monat"))
    await second.result()
    assert await builds(second) == ["B", "A"]
    for each in (before, waiting, unsent, late):
        await around.check_records(each)


async def test_a_settlement_that_continues_as_new_stays_with_its_build(tmp_path: Path) -> None:
    async with (
        settlement_office(tmp_path, shared=False, server=SMALL_HISTORIES) as office,
        two_builds(office) as (old, new),
    ):
        await old.start()
        await old.becomes_current()
        picked = await office.complete(["SP-1", "SP-2"])
        number = await office.open(*picked, automatic=True)
        await office.reaches(number, SettlementStatus.OPEN)
        await new.start()
        await new.becomes_current()
        handle = settlement(office, OCTOBER)
        first_run = (await handle.describe()).run_id
        selections = itertools.cycle([picked[:1], picked])
        while (await handle.describe()).run_id == first_run:
            await tell(office, OCTOBER, Select(sp_ids=next(selections)))
        await tell(office, OCTOBER, Close())
        await office.reaches(number, SettlementStatus.ISSUED)
        # It may just have gone over into one more run, of which no task is done yet.
        assert await eventually(lambda: builds(handle)) == ["A"]


PINNED_TO_B = (
    'TemporalWorkflowVersioningBehavior = "Pinned" AND TemporalWorkerDeploymentVersion = "cmi:B"'
    ' AND ExecutionStatus = "Running"'
)


async def is_listed(around: Surroundings, workflow_id: str) -> bool:
    """Whether the list of what is pinned to B has this one."""
    return workflow_id in {each.id async for each in around.client.list_workflows(PINNED_TO_B)}


async def is_retried(handle: WorkflowHandle[Any, Any]) -> bool:
    """Whether an activity of a workflow has failed."""
    description = (await handle.describe()).raw_description
    return any(pending.attempt > 1 for pending in description.pending_activities)
