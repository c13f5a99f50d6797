"""Runs workers: takes workflow tasks and activities from Temporal until it is told to stop."""

import argparse
import asyncio
import contextlib
import gc
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop
from temporalio.client import Client
from temporalio.worker import (
    PollerBehaviorAutoscaling,
    UnsandboxedWorkflowRunner,
    Worker,
    WorkflowRunner,
)
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from activities.calendars import CalendarActivities
from activities.claims import ClaimActivities
from activities.digest import DigestActivities
from activities.mail import MailActivities
from activities.papers import PaperActivities
from activities.reconcile import ReconcileActivities
from activities.records import RecordActivities
from activities.settlement_mail import SettlementMailActivities
from activities.settling import SettlementActivities
from activities.warehouse import WarehouseActivities
from connection import connect_patiently, leave
from logs import configure_logging
from records.accounts import AccountRecords
from records.corrections import Corrections
from records.database import Database
from records.digest import Digests
from records.mails import MailLog
from records.migrate import migrate
from records.orders import Orders
from records.papers import Papers
from records.partners import Partners
from records.reconciliation import Reconciliation
from records.settlements import Settlements
from settings import Settings, SettingsError
from workflows import names
from workflows.daily_digest import DailyDigest
from workflows.messages import Desk
from workflows.monthly_billing import MonthlyBilling
from workflows.reconciler import Reconciler
from workflows.service_order import ServiceOrder
from workflows.settlement import Settlement

logger = logging.getLogger("cmi.worker")

WORKFLOWS = (ServiceOrder, Settlement, MonthlyBilling, Reconciler, DailyDigest)
DOCUMENTS_AT_A_TIME = 2
"""By one worker. Each takes two processor cores and up to three gigabytes (`statements.render_process.LIMITS`)."""
ALIVE_EVERY = 5.0


def order_worker(client: Client, settings: Settings, database: Database) -> Worker:
    """The worker of the queue `orders`: every workflow, and the activities that are quick."""
    runner: WorkflowRunner = (
        SandboxedWorkflowRunner() if settings.sandbox else UnsandboxedWorkflowRunner()
    )
    orders, mails = Orders(database), MailLog(database)
    partners, settlements = Partners(database), Settlements(database)
    desk = Desk(public_url=settings.public_url, language=settings.operations_language)
    policy = settings.load_policy()
    mail = MailActivities(settings, mails, partners)
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
    settlement_mail = SettlementMailActivities(settings, mails, partners, Papers(database))
    digest = DigestActivities(
        settings,
        policy,
        Digests(database),
        mails,
        partners,
        AccountRecords(database),
    )
    reconcile = ReconcileActivities(settings, client, orders, Reconciliation(database), mails)
    return Worker(
        client,
        task_queue=names.ORDERS_QUEUE,
        workflows=WORKFLOWS,
        activities=[
            mail.send_mail,
            WarehouseActivities(settings).request_shipping,
            RecordActivities(orders).save_order,
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
        workflow_runner=runner,
        max_cached_workflows=settings.max_cached_workflows,
        workflow_task_poller_behavior=PollerBehaviorAutoscaling(),
        activity_task_poller_behavior=PollerBehaviorAutoscaling(),
        graceful_shutdown_timeout=settings.drain,
    )


def document_worker(client: Client, settings: Settings, database: Database) -> Worker:
    """The worker of the queue `documents`: what takes memory and time, a few at a time."""
    papers = PaperActivities(settings, Settlements(database), Partners(database), Papers(database))
    return Worker(
        client,
        task_queue=names.DOCUMENTS_QUEUE,
        activities=[papers.make_statement, papers.make_draft, papers.check_invoice],
        max_concurrent_activities=DOCUMENTS_AT_A_TIME,
        graceful_shutdown_timeout=settings.drain,
    )


_MAKERS = {names.ORDERS_QUEUE: order_worker, names.DOCUMENTS_QUEUE: document_worker}
QUEUES = tuple(_MAKERS)


async def run(settings: Settings, queues: Sequence[str]) -> None:
    """Work until SIGTERM or SIGINT, then let what runs finish."""
    if settings.database_url.startswith("sqlite"):
        await migrate(settings.database_url)
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
        alive.cancel()
        logger.info("told to stop, letting what runs finish for up to %s", settings.drain)
    logger.info("stopped")


async def _show_life(path: Path | None) -> None:
    """Touch the liveness file while the event loop turns."""
    while path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
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
