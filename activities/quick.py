"""The activities of the queue `orders`, as a worker registers them."""

from collections.abc import Callable, Sequence
from typing import Any

from temporalio.client import Client

from activities.calendars import CalendarActivities
from activities.claims import ClaimActivities
from activities.digest import DigestActivities
from activities.mail import MailActivities
from activities.obsolete_mails import ObsoleteMails
from activities.reconcile import ReconcileActivities
from activities.records import RecordActivities
from activities.retention import RetentionActivities
from activities.settlement_mail import SettlementMailActivities
from activities.settlements import SettlementActivities
from activities.shop import ShopActivities
from activities.warehouse import WarehouseActivities
from mail.outbox import Outbox
from mail.smtp import SmtpSender
from records.accounts import AccountRecords
from records.corrections import Corrections
from records.data_keys import DataKeyRecords
from records.database import Database
from records.digest import Digests
from records.erasures import Erasures
from records.idempotency import Answers
from records.line_requests import LineRequests
from records.lookups import Lookups
from records.mails import MailLog
from records.orders import Orders
from records.papers import Papers
from records.partners import Partners
from records.reconciliation import Reconciliation
from records.security_events import SecurityEvents
from records.settlements import Settlements
from records.uploads import Uploads
from settings import Settings
from use_cases.erased_files import Folders
from use_cases.erasing import Erasing


def quick_activities(
    client: Client, settings: Settings, database: Database
) -> Sequence[Callable[..., Any]]:
    """All activities of the queue `orders`. They share one outbox."""
    orders, mails = Orders(database), MailLog(database)
    partners, settlements = Partners(database), Settlements(database)
    outbox = Outbox(mails, SmtpSender(settings))
    mail = MailActivities(settings, outbox, partners)
    warehouse = WarehouseActivities(settings, partners, LineRequests(database))
    policies = settings.load_policies()
    settlement_activities = SettlementActivities(
        client,
        settlements,
        Corrections(database),
        partners,
        policies=policies,
        vat_rates=settings.vat_percentages,
        display=settings.display,
    )
    erasures = Erasures(database)
    claims = ClaimActivities(client, settlements, orders, mails, erasures, settings.display)
    erasing = Erasing(
        client,
        erasures,
        DataKeyRecords(database),
        Folders(settings.warehouse_dir, settings.mail_dir),
    )
    retention = RetentionActivities(
        settings.retention_spans,
        erasing,
        erasures,
        Uploads(database),
        (SecurityEvents(database), Lookups(database)),
        Answers(database),
    )
    settlement_mail = SettlementMailActivities(settings, outbox, partners, Papers(database))
    digest = DigestActivities(
        settings,
        policies.standard,
        Digests(database),
        outbox,
        partners,
        AccountRecords(database),
    )
    reconcile = ReconcileActivities(
        settings,
        client,
        orders,
        settlements,
        Reconciliation(database),
        outbox,
        ObsoleteMails(mails, orders, settlements),
    )
    return [
        mail.send_mail,
        warehouse.request_shipping,
        warehouse.stop_shipping,
        ShopActivities(settings, outbox).notify_shop,
        RecordActivities(client, orders).save_order,
        CalendarActivities(policies.standard).pin_calendar,
        settlement_activities.save_settlement,
        settlement_activities.take_corrections,
        settlement_activities.release_corrections,
        settlement_activities.partners_to_settle,
        settlement_activities.open_settlement,
        claims.claim_orders,
        claims.release_orders,
        settlement_mail.send_settlement_mail,
        digest.digest_partners,
        digest.send_digest,
        reconcile.compare_orders,
        reconcile.compare_settlements,
        reconcile.find_unrecorded,
        reconcile.report_findings,
        retention.keep_retention,
        retention.finish_erasure,
    ]
