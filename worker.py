"""Runs workers: they take workflow tasks and activities from Temporal until the process gets SIGTERM or SIGINT."""

import argparse
import asyncio
import contextlib
import faulthandler
import gc
import logging
import signal
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TypedDict

import uvloop
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import (
    Interceptor,
    PollerBehaviorAutoscaling,
    UnsandboxedWorkflowRunner,
    Worker,
    WorkerDeploymentConfig,
    WorkflowRunner,
)
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from activities.expected_failures import ExpectedFailures
from activities.heartbeats import BEAT_SECONDS, Heartbeats
from activities.papers import PaperActivities
from activities.quick import quick_activities
from contracts import names
from documents.confined import remove_leftovers
from documents.confinement import missing, protect_memory
from records.database import Database
from records.invoice_numbers import InvoiceNumbers
from records.migrate import migrate_patiently
from records.papers import Papers
from records.partners import Partners
from records.settlements import Settlements
from settings import Settings, SettingsError, keep_files_private
from settings.logs import configure_logging
from settings.secrets import forget_secrets
from settings.temporal import temporal_connection
from settings.traces import are_traces_exported
from telemetry.endpoint import NotListening, show_sdk_metrics
from telemetry.tracing import TraceIdFilter, start_tracing, stop_tracing
from temporal.connection import connect_patiently, leave, rewrap_data_keys
from temporal.keys_away import KeysAwayFilter
from use_cases.outages import OutageWatch
from use_cases.process_metrics import metrics_endpoint
from use_cases.production import unfit_for_production
from workflows.daily_digest import DailyDigest
from workflows.monthly_billing import MonthlyBilling
from workflows.pinning import PinningRunner
from workflows.reconciler import Reconciler
from workflows.retention import Erasure, Retention
from workflows.service_order import ServiceOrder
from workflows.settlement import SettlementWorkflow

logger = logging.getLogger("cmi.worker")

WORKFLOWS = (
    ServiceOrder,
    SettlementWorkflow,
    MonthlyBilling,
    Reconciler,
    DailyDigest,
    Retention,
    Erasure,
)
DOCUMENTS_MAX_CONCURRENT = 2
"""Documents that one worker makes or reads at once. Each takes a processor core and at most four gigabytes
(`statements.render_process.LIMITS`)."""
INVOICES_MAX_CONCURRENT = 2
"""Invoices that one worker checks at once. Each takes at most a gigabyte and ten seconds of a processor core."""
ALIVE_EVERY = 5.0
"""Seconds between two updates of the liveness file."""
HANGS_AFTER = 60.0
"""Seconds that the event loop may be blocked before the worker ends itself. Under load the loop is at most a few
seconds late, since long work is done by the SDK's threads, by other processes, or in pieces."""
STICKY_LIMIT = timedelta(seconds=1.5)
"""How long a workflow task waits for the worker that has the workflow in its cache before any worker may take it.

After a worker was killed, commands to its workflows wait this long. The use cases wait longer for an answer, so the
caller gets it and not a 202.
"""


class _CommonOptions(TypedDict):
    """Options of the workers of all queues."""

    interceptors: Sequence[Interceptor]
    max_heartbeat_throttle_interval: timedelta
    deployment_config: WorkerDeploymentConfig | None
    graceful_shutdown_timeout: timedelta


def _common(settings: Settings) -> _CommonOptions:
    return _CommonOptions(
        interceptors=[ExpectedFailures(), Heartbeats()],
        # By default the SDK delays heartbeats by up to four fifths of their timeout. A process that pauses for the
        # remaining fifth would then count as dead.
        max_heartbeat_throttle_interval=timedelta(seconds=BEAT_SECONDS),
        deployment_config=_deployment(settings),
        graceful_shutdown_timeout=settings.drain,
    )


def _deployment(settings: Settings) -> WorkerDeploymentConfig | None:
    """The options of Worker Versioning; None if it is off."""
    if settings.deployment_name is None or settings.build_id is None:
        return None
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(settings.deployment_name, settings.build_id),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
    )


def _runner(settings: Settings) -> WorkflowRunner:
    plain = UnsandboxedWorkflowRunner if settings.build_id is None else PinningRunner
    return SandboxedWorkflowRunner(runner_class=plain) if settings.sandbox else plain()


def order_worker(client: Client, settings: Settings, database: Database) -> Worker:
    """The worker of the queue `orders`: all workflows, and the activities that are quick."""
    return Worker(
        client,
        task_queue=names.ORDERS_QUEUE,
        workflows=WORKFLOWS,
        activities=quick_activities(client, settings, database),
        workflow_runner=_runner(settings),
        max_cached_workflows=settings.max_cached_workflows,
        max_concurrent_workflow_tasks=settings.workflow_slots,
        max_concurrent_activities=settings.activity_slots,
        # An eager activity would bypass the queue, in which the partners take turns.
        disable_eager_activity_execution=True,
        workflow_task_poller_behavior=PollerBehaviorAutoscaling(),
        activity_task_poller_behavior=PollerBehaviorAutoscaling(),
        sticky_queue_schedule_to_start_timeout=STICKY_LIMIT,
        **_common(settings),
    )


def document_worker(client: Client, settings: Settings, database: Database) -> Worker:
    """The worker of the queue `documents`: activities that need much memory and time, a few at once."""
    papers = _paper_activities(settings, database)
    return Worker(
        client,
        task_queue=names.DOCUMENTS_QUEUE,
        activities=[
            papers.make_statement,
            papers.make_draft,
            papers.make_invoice,
            # Checks run on the queue `invoices`, except for those that an older worker's workflows scheduled here.
            papers.check_invoice,
        ],
        max_concurrent_activities=DOCUMENTS_MAX_CONCURRENT,
        **_common(settings),
    )


def invoice_worker(client: Client, settings: Settings, database: Database) -> Worker:
    """The worker of the queue `invoices`: the checks of uploaded invoices, which read files from outside."""
    return Worker(
        client,
        task_queue=names.INVOICES_QUEUE,
        activities=[_paper_activities(settings, database).check_invoice],
        max_concurrent_activities=INVOICES_MAX_CONCURRENT,
        **_common(settings),
    )


def _paper_activities(settings: Settings, database: Database) -> PaperActivities:
    return PaperActivities(
        settings,
        Settlements(database),
        Partners(database),
        Papers(database),
        InvoiceNumbers(database),
    )


_MAKERS = {
    names.ORDERS_QUEUE: order_worker,
    names.DOCUMENTS_QUEUE: document_worker,
    names.INVOICES_QUEUE: invoice_worker,
}
QUEUES = tuple(_MAKERS)


async def run(settings: Settings, queues: Sequence[str]) -> None:
    """Run workers for these queues until SIGTERM or SIGINT, then let running activities finish."""
    watchdog = asyncio.create_task(_watchdog())
    await asyncio.to_thread(remove_leftovers)
    if settings.database_url.startswith("sqlite"):
        await migrate_patiently(settings.database_url)
    database = Database(settings.database_url, settings.connections)
    client = await connect_patiently(settings, database)
    forget_secrets(settings)
    watch: OutageWatch | None = None
    if names.ORDERS_QUEUE in queues:
        after = timedelta(minutes=settings.outage_after)
        watch = OutageWatch(client, database, settings.load_policy(), "worker", after)
        # Before any task is taken: a deadline that passed during an outage must not be missed.
        await watch.come_back()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    rewrapping = asyncio.create_task(rewrap_data_keys(settings, database))
    workers = [_MAKERS[queue](client, settings, database) for queue in dict.fromkeys(queues)]
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        stack.enter_context(metrics_endpoint(settings, database))
        for worker in workers:
            await stack.enter_async_context(worker)
        logger.info(
            "working",
            extra={
                "queues": list(queues),
                "namespace": client.namespace,
                "server": client.service_client.config.target_host,
                "workflows": [workflow.__name__ for workflow in WORKFLOWS],
            },
        )
        # The objects that exist now live as long as the process, so the garbage collector need not visit them.
        gc.collect()
        gc.freeze()
        alive = asyncio.create_task(_touch(settings.worker_liveness_file))
        watching = asyncio.create_task(watch.keep_watch()) if watch is not None else None
        await stop.wait()
        logger.info("told to stop, letting what runs finish for up to %s", settings.drain)
        if watching is not None:
            watching.cancel()
    alive.cancel()
    rewrapping.cancel()
    watchdog.cancel()
    logger.info("stopped")


async def _watchdog() -> None:
    """End this process, with the traceback of each thread on stderr, if the event loop is blocked for too long.

    `faulthandler` does it in a C thread that needs neither the loop nor the GIL. A worker that was paused that long
    (SIGSTOP) also ends when it resumes: by then the server has given its activities to other workers
    (`ATTEMPT_LIMIT`).
    """
    try:
        while True:
            faulthandler.dump_traceback_later(HANGS_AFTER, exit=True)
            await asyncio.sleep(ALIVE_EVERY)
    finally:
        faulthandler.cancel_dump_traceback_later()


async def _touch(path: Path | None) -> None:
    """Touch the liveness file every few seconds while the event loop runs. None: there is no file to touch."""
    while path is not None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        except OSError as error:  # a full disk must not end a healthy worker
            logger.warning("no sign of life in %s: %s", path, error.strerror)
        await asyncio.sleep(ALIVE_EVERY)


def _queues(text: str) -> list[str]:
    chosen = [queue.strip() for queue in text.split(",") if queue.strip()]
    for queue in chosen:
        if queue not in QUEUES:
            raise argparse.ArgumentTypeError(
                f"no such queue: {queue}; there are {', '.join(QUEUES)}"
            )
    return chosen


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--queues", type=_queues, default=list(QUEUES), help="which, comma-separated (all)"
    )
    options = parser.parse_args(arguments)
    keep_files_private()
    try:
        settings = Settings.from_env()
        temporal_connection()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    configure_logging(settings)
    if are_traces_exported():
        start_tracing("cmi-worker")
    for handler in logging.getLogger().handlers:
        handler.addFilter(TraceIdFilter())
        handler.addFilter(KeysAwayFilter())
    protect_memory()
    # Until the workers run there is nothing to finish, and Ctrl-C simply ends the process.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    lacking: Sequence[str] = ()
    if {names.DOCUMENTS_QUEUE, names.INVOICES_QUEUE} & set(options.queues):
        lacking = missing()
    if refusal := unfit_for_production(settings, "worker", lacking):
        print(refusal, file=sys.stderr)
        return 2
    if lacking:
        logger.warning(
            "the processes that read foreign files are less confined than they could be",
            extra={"missing": lacking},
        )
    try:
        show_sdk_metrics(settings.metrics_temporal)
        uvloop.run(run(settings, options.queues))
        stop_tracing()
    except NotListening as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    leave(main())
