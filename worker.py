"""Runs workers: takes workflow tasks and activities from Temporal until it is told to stop."""

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

from activities.calendars import CalendarActivities
from activities.claims import ClaimActivities
from activities.digest import DigestActivities
from activities.heartbeats import BEAT, Beating
from activities.mail import MailActivities
from activities.obsolete_mails import ObsoleteMails
from activities.papers import PaperActivities
from activities.reconcile import ReconcileActivities
from activities.records import RecordActivities
from activities.settlement_mail import SettlementMailActivities
from activities.settling import SettlementActivities
from activities.warehouse import WarehouseActivities
from contracts import names
from contracts.messages import Desk
from documents.confined import remove_leftovers
from mail.expected import ExpectedFailures
from mail.letters import Letters
from mail.smtp import Postman
from records.accounts import AccountRecords
from records.corrections import Corrections
from records.database import Database
from records.digest import Digests
from records.mails import MailLog
from records.migrate import migrate_patiently
from records.orders import Orders
from records.papers import Papers
from records.partners import Partners
from records.reconciliation import Reconciliation
from records.settlements import Settlements
from settings import Settings, SettingsError
from settings.logs import configure_logging
from temporal.connection import connect_patiently, leave
from workflows.daily_digest import DailyDigest
from workflows.monthly_billing import MonthlyBilling
from workflows.pinning import PinningRunner
from workflows.reconciler import Reconciler
from workflows.service_order import ServiceOrder
from workflows.settlement import Settlement

logger = logging.getLogger("cmi.worker")

WORKFLOWS = (ServiceOrder, Settlement, MonthlyBilling, Reconciler, DailyDigest)
DOCUMENTS_AT_A_TIME = 2
"""By one worker. Each takes two processor cores and up to three gigabytes (`statements.render_process.LIMITS`)."""
ALIVE_EVERY = 5.0
"""Seconds between two signs of life."""
HANGS_AFTER = 60.0
"""Seconds without a turn of the event loop after which a worker ends itself. A busy worker's loop turns late, but by
seconds at the most: what takes long is done by the SDK's threads, by other processes, or in pieces."""
STICKY_LIMIT = timedelta(seconds=1.5)
"""How long a workflow task waits for the worker that has the workflow in memory before any worker may take it.

Commands of a workflow whose worker was killed wait so long: less than `desk` waits for an answer, or it would be a 202.
"""


class _Common(TypedDict):
    """Options of the workers of both queues."""

    interceptors: Sequence[Interceptor]
    max_heartbeat_throttle_interval: timedelta
    deployment_config: WorkerDeploymentConfig | None
    graceful_shutdown_timeout: timedelta


def _common(settings: Settings) -> _Common:
    return _Common(
        interceptors=[ExpectedFailures(), Beating()],
        # Otherwise the SDK keeps heartbeats back for four fifths of their limit, and a process that stood still for the
        # last fifth of it is taken for dead.
        max_heartbeat_throttle_interval=timedelta(seconds=BEAT),
        deployment_config=_deployment(settings),
        graceful_shutdown_timeout=settings.drain,
    )


def _deployment(settings: Settings) -> WorkerDeploymentConfig | None:
    """Worker Versioning, if it is on."""
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
    """The worker of the queue `orders`: every workflow, and the activities that are quick."""
    orders, mails = Orders(database), MailLog(database)
    partners, settlements = Partners(database), Settlements(database)
    desk = Desk(public_url=settings.public_url, language=settings.operations_language)
    letters = Letters(mails, Postman(settings))
    mail = MailActivities(settings, letters, partners)
    policy = settings.load_policy()
    settling = SettlementActivities(
        client,
        settlements,
        Corrections(database),
        partners,
        policy=policy,
        vat_rates=settings.vat_percentages,
        desk=desk,
    )
    claims = ClaimActivities(client, settlements, orders, mails, desk)
    settlement_mail = SettlementMailActivities(settings, letters, partners, Papers(database))
    digest = DigestActivities(
        settings,
        policy,
        Digests(database),
        letters,
        partners,
        AccountRecords(database),
    )
    reconcile = ReconcileActivities(
        settings,
        client,
        orders,
        settlements,
        Reconciliation(database),
        letters,
        ObsoleteMails(mails, orders, settlements),
    )
    return Worker(
        client,
        task_queue=names.ORDERS_QUEUE,
        workflows=WORKFLOWS,
        activities=[
            mail.send_mail,
            WarehouseActivities(settings).request_shipping,
            RecordActivities(client, orders).save_order,
            CalendarActivities(policy).pin_calendar,
            settling.save_settlement,
            settling.take_corrections,
            settling.release_corrections,
            settling.partners_to_settle,
            settling.open_settlement,
            claims.claim_orders,
            claims.release_orders,
            settlement_mail.send_settlement_mail,
            digest.digest_partners,
            digest.send_digest,
            reconcile.compare_orders,
            reconcile.compare_settlements,
            reconcile.find_unrecorded,
            reconcile.report_findings,
        ],
        workflow_runner=_runner(settings),
        max_cached_workflows=settings.max_cached_workflows,
        workflow_task_poller_behavior=PollerBehaviorAutoscaling(),
        activity_task_poller_behavior=PollerBehaviorAutoscaling(),
        sticky_queue_schedule_to_start_timeout=STICKY_LIMIT,
        **_common(settings),
    )


def document_worker(client: Client, settings: Settings, database: Database) -> Worker:
    """The worker of the queue `documents`: what takes memory and time, a few at a time."""
    papers = PaperActivities(settings, Settlements(database), Partners(database), Papers(database))
    return Worker(
        client,
        task_queue=names.DOCUMENTS_QUEUE,
        activities=[papers.make_statement, papers.make_draft, papers.check_invoice],
        max_concurrent_activities=DOCUMENTS_AT_A_TIME,
        **_common(settings),
    )


_MAKERS = {names.ORDERS_QUEUE: order_worker, names.DOCUMENTS_QUEUE: document_worker}
QUEUES = tuple(_MAKERS)


async def run(settings: Settings, queues: Sequence[str]) -> None:
    """Work until SIGTERM or SIGINT, then let what runs finish."""
    signal.signal(
        signal.SIGINT, signal.SIG_DFL
    )  # until there is something to finish a signal just ends it
    watch = asyncio.create_task(_watch())
    await asyncio.to_thread(remove_leftovers)
    if settings.database_url.startswith("sqlite"):
        await migrate_patiently(settings.database_url)
    database = Database(settings.database_url)
    client = await connect_patiently(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    workers = [_MAKERS[queue](client, settings, database) for queue in dict.fromkeys(queues)]
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
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
        # What is there now stays; the collector need not look at it again and again.
        gc.collect()
        gc.freeze()
        alive = asyncio.create_task(_show_life(settings.worker_liveness_file))
        await stop.wait()
        logger.info("told to stop, letting what runs finish for up to %s", settings.drain)
    alive.cancel()
    watch.cancel()
    logger.info("stopped")


async def _watch() -> None:
    """End this process, with the traceback of each thread on stderr, if the event loop does not turn any more.

    A thread of C sees to it, which needs neither the loop nor the GIL. A worker that was stopped for so long (SIGSTOP)
    ends, too, once it goes on: the server has given its activities to others by then (`ATTEMPT_LIMIT`).
    """
    try:
        while True:
            faulthandler.dump_traceback_later(HANGS_AFTER, exit=True)
            await asyncio.sleep(ALIVE_EVERY)
    finally:
        faulthandler.cancel_dump_traceback_later()


async def _show_life(path: Path | None) -> None:
    """Touch the liveness file while the event loop turns and the workers work."""
    while path is not None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        except OSError as error:  # a full disk must not end a worker that works
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
    try:
        settings = Settings.from_env()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    configure_logging(settings)
    uvloop.run(run(settings, options.queues))
    return 0


if __name__ == "__main__":
    leave(main())
