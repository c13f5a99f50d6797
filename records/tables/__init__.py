"""The tables of the records, for both databases. A change here needs a revision in `migrations/`."""

from records.tables.accounts import (
    idempotency,
    links,
    login_attempts,
    recovery_codes,
    sessions,
    token_calls,
    tokens,
    users,
)
from records.tables.calendars import calendar_entries, calendar_feeds
from records.tables.customer_links import customer_links, customer_wishes
from records.tables.data_keys import data_keys
from records.tables.erasures import erasures, exports
from records.tables.iban_changes import iban_changes, iban_mails
from records.tables.mails import is_undelivered, mails
from records.tables.messages import message_mails, message_reads, order_messages, waits_for_answer
from records.tables.notices import account_notices
from records.tables.on_site import execution_protocols, order_photos
from records.tables.operations import asked_reminder_orders, asked_reminders, list_views
from records.tables.order_counts import order_count_changes
from records.tables.order_mails import order_mails
from records.tables.orders import (
    deadlines,
    documents,
    ended_before,
    is_billable,
    is_closed,
    is_open,
    is_report,
    is_taken_back,
    orders,
    timeline,
)
from records.tables.outages import heartbeats, outages
from records.tables.partners import partners
from records.tables.people import order_assignments, person_mails
from records.tables.reconciliation import comparisons, findings
from records.tables.reminders import reminders
from records.tables.settlements import (
    corrections,
    invoice_numbers,
    papers,
    settlement_documents,
    settlement_lines,
    settlement_timeline,
    settlements,
)
from records.tables.shipping import line_requests, line_withdrawals
from records.tables.traces import lookups, security_events
from records.tables.types import Instant, Key, Money, metadata

__all__ = [
    "Instant",
    "Key",
    "Money",
    "account_notices",
    "asked_reminder_orders",
    "asked_reminders",
    "calendar_entries",
    "calendar_feeds",
    "comparisons",
    "corrections",
    "customer_links",
    "customer_wishes",
    "data_keys",
    "deadlines",
    "documents",
    "ended_before",
    "erasures",
    "execution_protocols",
    "exports",
    "findings",
    "heartbeats",
    "iban_changes",
    "iban_mails",
    "idempotency",
    "invoice_numbers",
    "is_billable",
    "is_closed",
    "is_open",
    "is_report",
    "is_taken_back",
    "is_undelivered",
    "line_requests",
    "line_withdrawals",
    "links",
    "list_views",
    "login_attempts",
    "lookups",
    "mails",
    "message_mails",
    "message_reads",
    "metadata",
    "order_assignments",
    "order_count_changes",
    "order_mails",
    "order_messages",
    "order_photos",
    "orders",
    "outages",
    "papers",
    "partners",
    "person_mails",
    "recovery_codes",
    "reminders",
    "security_events",
    "sessions",
    "settlement_documents",
    "settlement_lines",
    "settlement_timeline",
    "settlements",
    "timeline",
    "token_calls",
    "tokens",
    "users",
    "waits_for_answer",
]
