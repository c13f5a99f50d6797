"""Creates the web application from its parts."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta

from fastapi import FastAPI
from fastapi.routing import APIRoute

from records.corrections import Corrections
from records.customer_links import CustomerLinks
from records.data_keys import DataKeyRecords
from records.database import Database
from records.erasures import Erasures
from records.failures import is_away
from records.idempotency import Answers
from records.list_views import ListViews
from records.message_mails import MessageMailQueue
from records.messages import Messages
from records.on_site import Photos, Protocols
from records.order_counts import OrderCounts
from records.orders import Orders
from records.partners import Partners
from records.reminders import Reminders
from records.token_calls import TokenCalls
from records.worklist import Worklists
from settings import Settings
from settings.secrets import forget_secrets
from settings.temporal import temporal_connection
from temporal.connection import connect
from use_cases.accounting import Accounting
from use_cases.accounts import Accounts
from use_cases.agenda import AgendaUseCases
from use_cases.asked_reminders import AskedReminderUseCases
from use_cases.assignments import AssignmentUseCases
from use_cases.calendar_feeds import CalendarFeedUseCases
from use_cases.customer_export import CustomerExports
from use_cases.customer_links import CustomerLinkUseCases
from use_cases.erased_files import Folders
from use_cases.erasing import Erasing, ErasureUseCases
from use_cases.figures import FigureUseCases
from use_cases.journal import Journal
from use_cases.leases import keep_sending
from use_cases.message_mails import MessageMails
from use_cases.messages import MessageUseCases
from use_cases.on_site import OnSite
from use_cases.operations import Operations
from use_cases.order_mails import OrderMails
from use_cases.orders import OrderUseCases
from use_cases.outages import OutageWatch
from use_cases.people import PeopleUseCases
from use_cases.person_mails import PersonMails
from use_cases.process_metrics import metrics_endpoint
from use_cases.related import RelatedOrders
from use_cases.reports import Reports
from use_cases.settlements import SettlementUseCases
from use_cases.worklist import WorklistUseCases
from web import codec, docs, health, openapi, portal, problems
from web.api import (
    accounting,
    agenda,
    corrections,
    data_protection,
    journal,
    login_sessions,
    logins,
    messages,
    on_site,
    order_commands,
    order_decisions,
    orders,
    partners,
    payments,
    people,
    reports,
    settlement_papers,
    settlements,
    tokens,
    traces,
    uploaded_invoices,
)
from web.call_limits import Buckets, CallLimits
from web.middleware import RequestMiddleware
from web.request_limits import API

logger = logging.getLogger("cmi.web")

_FOLD_EVERY_SECONDS = 60
_FORGET_EVERY_SECONDS = 3600.0


def create_app(settings: Settings, *, forgets_secrets: bool = False) -> FastAPI:
    """The application. `forgets_secrets`: the process runs only this application (`settings.secrets`).

    It starts even if Temporal is away: calls that need it answer 503. The tables must exist.

    While it runs, `app.state` has its parts: `settings`, `database`, `temporal`, `accounts`, `answers`, `operations`,
    `reports`, `journal`, `accounting`, `order_use_cases`, `related_orders`, `worklist_use_cases`, `reminders`,
    `customer_links`, `agenda`, `calendar_feeds`, `settlement_use_cases`, `message_use_cases`, `message_mails`,
    `on_site`.
    """
    policies = settings.load_policies()
    namespace = temporal_connection().get("namespace") or "default"

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            database = Database(settings.database_url, settings.connections)
            stack.push_async_callback(database.close)
            stack.enter_context(metrics_endpoint(settings, database))
            state = app.state
            state.settings = settings
            if settings.secret_key is None:
                logger.warning("nobody needs a second factor: CMI_SECRET_KEY is not set")
            state.database = database
            state.temporal = await connect(settings, database, lazy=True)
            if forgets_secrets:
                forget_secrets(settings)
            state.accounts = Accounts(database, settings)
            stack.push_async_callback(state.accounts.close)
            state.answers = Answers(database)
            state.operations = Operations(database)
            state.reports = Reports(database, policies.standard.office.timezone)
            state.figures = FigureUseCases(database, policies.standard.office.timezone)
            state.journal = Journal(database, policies.standard.office.timezone)
            state.accounting = Accounting(
                database, state.journal, policies.standard.office.timezone
            )
            contact = settings.retention_spans["contact"]
            state.on_site = OnSite(database, settings.company_name, settings.clamd, contact)
            state.order_use_cases = OrderUseCases(
                state.temporal,
                Orders(database),
                Partners(database),
                policies,
                settings.display,
                contact=contact,
                check=state.on_site.check_command,
            )
            erasures = Erasures(database)
            erasing = Erasing(
                state.temporal,
                erasures,
                DataKeyRecords(database),
                Folders(settings.warehouse_dir, settings.mail_dir),
            )
            state.erasure_use_cases = ErasureUseCases(
                state.temporal, state.order_use_cases, erasing
            )
            state.customer_exports = CustomerExports(
                erasures,
                state.order_use_cases,
                Corrections(database),
                Messages(database),
                CustomerLinks(database),
                Photos(database),
                Protocols(database),
            )
            state.message_use_cases = MessageUseCases(
                Messages(database), Partners(database), policies
            )
            state.message_mails = MessageMails(
                MessageMailQueue(database),
                Orders(database),
                Partners(database),
                state.accounts.outbox,
                settings,
            )
            state.person_mails = PersonMails(
                database, settings, policies.standard, state.accounts.outbox
            )
            ended_partners = state.order_use_cases.ended_partners
            state.accounts.partners.release_orders = ended_partners.release_soon
            state.related_orders = RelatedOrders(database)
            state.worklist_use_cases = WorklistUseCases(Worklists(database), state.order_use_cases)
            state.assignment_use_cases = AssignmentUseCases(database, state.order_use_cases)
            state.people_use_cases = PeopleUseCases(state.accounts, database)
            state.reminders = Reminders(database)
            state.list_views = ListViews(database)
            state.asked_reminders = AskedReminderUseCases(
                database, state.accounts.outbox, settings.public_url, state.accounts.spawn
            )
            state.agenda = AgendaUseCases(database, settings.retention_spans["contact"])
            state.calendar_feeds = CalendarFeedUseCases(database, settings.public_url)
            state.customer_links = CustomerLinkUseCases(database, lambda: datetime.now(UTC))
            state.settlement_use_cases = SettlementUseCases(
                state.temporal,
                database,
                policies,
                settings.vat_percentages,
                settings.display,
                quota=settings.quota,
            )
            order_mails = OrderMails(
                database, settings, state.accounts.outbox, lambda: datetime.now(UTC)
            )
            stack.callback(order_mails.stop)  # `accounts.close` waits for the running attempt
            after = timedelta(minutes=settings.outage_after)
            watch = OutageWatch(state.temporal, database, policies.standard, "web", after)
            for task in (
                state.accounts.keep_house(),
                keep_sending(state.accounts.spawn, order_mails.send_due, "mails of orders"),
                ended_partners.keep_releasing(),
                keep_sending(state.accounts.spawn, state.asked_reminders.send_due, "reminders"),
                _forget_answers(state.answers, settings.retention_spans["answers"]),
                _keep_watch(watch),
                state.call_limits.keep_sharing(TokenCalls(database)),
                _keep_counts_few(OrderCounts(database)),
                keep_sending(
                    state.accounts.spawn, state.message_mails.send_due, "mails about messages"
                ),
                keep_sending(state.accounts.spawn, state.person_mails.send_due, "mails to people"),
            ):
                stack.push_async_callback(_stop, asyncio.create_task(task))
            yield

    app = FastAPI(
        title="Company Management Interface",
        version="1",
        description=openapi.DESCRIPTION,
        openapi_tags=openapi.TAGS,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    for calls in (
        orders,
        order_commands,
        order_decisions,
        messages,
        agenda,
        people,
        on_site,
        data_protection,
        settlements,
        settlement_papers,
        uploaded_invoices,
        corrections,
        payments,
        journal,
        accounting,
        partners,
        logins,
        login_sessions,
        tokens,
        reports,
        traces,
    ):
        app.include_router(calls.router, prefix=API)
    app.state.call_limits = CallLimits(settings)
    app.state.calendar_limits = Buckets()
    app.include_router(health.router)
    codec.install(app, settings, namespace)
    docs.install(app)
    portal.install(app)
    openapi.install(app)
    problems.install(app)
    app.add_middleware(RequestMiddleware)  # the last one added is the outermost
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name


async def _stop(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait([task])


async def _keep_watch(watch: OutageWatch) -> None:
    await watch.come_back()
    await watch.keep_watch()


async def _keep_counts_few(counts: OrderCounts) -> None:
    while True:
        try:
            await counts.fold()
        except Exception as error:
            if not is_away(error):
                raise
        await asyncio.sleep(_FOLD_EVERY_SECONDS)


async def _forget_answers(answers: Answers, kept: timedelta) -> None:
    while True:
        try:
            await answers.forget(datetime.now(UTC) - kept)
        except Exception as error:
            if not is_away(error):
                raise
            logger.warning(
                "old answers were not deleted, trying again later",
                extra={"cause": type(error).__name__},
            )
        await asyncio.sleep(_FORGET_EVERY_SECONDS)
