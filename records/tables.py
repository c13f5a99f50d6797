"""The tables of orders, settlements and mails, for both databases. A change here needs a revision in `migrations/`.

Those of logins are in `records/account_tables.py`.
"""

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    false,
    literal_column,
    text,
)

from domain.orders.order import Status
from records.columns import Instant, Key, Money, metadata

# What lists, counts and searches read. Rows are kept narrow: the order itself is in `documents`.
orders = Table(
    "orders",
    metadata,
    Column("sp_id", Key, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("status", String, nullable=False),
    Column("partner_id", Key, nullable=False),
    Column("visible", Boolean, nullable=False),  # to its partner: it was transmitted
    Column("placed_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("next_due", Instant),  # the most urgent open deadline, of whomever
    Column("partner_due", Instant),  # the same of the partner's own
    Column("sales_order_id", String, nullable=False),
    Column("executed_on", Date),
    Column("settlement_id", String),
    Column("search", Text, nullable=False),  # records.orders.searchable
    Column("digest", String),  # of its events (domain/digest.py); none: written by an older release
)

_has_due = orders.c.next_due.is_not(None)
_has_partner_due = orders.c.partner_due.is_not(None)
_FINAL = ", ".join(f"'{status}'" for status in Status if status.is_final)
is_open = text(f"status NOT IN ({_FINAL})")
"""The condition of `ix_orders_open`, word for word: with parameters a database would not use the index."""
is_closed = literal_column(f"status IN ({_FINAL})", Boolean)
"""The condition of `ix_orders_closed`, as `is_open`."""

Index("ix_orders_newest", orders.c.placed_at, orders.c.sp_id)
Index("ix_orders_status", orders.c.status, orders.c.placed_at, orders.c.sp_id)
Index(
    "ix_orders_urgent",
    orders.c.next_due,
    orders.c.sp_id,
    sqlite_where=_has_due,
    postgresql_where=_has_due,
)
Index(
    "ix_orders_partner_newest",
    orders.c.partner_id,
    orders.c.visible,
    orders.c.placed_at,
    orders.c.sp_id,
)
Index(
    "ix_orders_partner_status",
    orders.c.partner_id,
    orders.c.visible,
    orders.c.status,
    orders.c.placed_at,
    orders.c.sp_id,
)
Index(
    "ix_orders_partner_urgent",
    orders.c.partner_id,
    orders.c.partner_due,
    orders.c.sp_id,
    sqlite_where=_has_partner_due,
    postgresql_where=_has_partner_due,
)
Index(
    "ix_orders_partner_work",
    orders.c.partner_id,
    orders.c.visible,
    orders.c.status,
    orders.c.partner_due,
    orders.c.sp_id,
)
Index("ix_orders_open", orders.c.sp_id, sqlite_where=is_open, postgresql_where=is_open)
Index("ix_orders_closed", orders.c.changed_at, sqlite_where=is_closed, postgresql_where=is_closed)
is_billable = text(f"status = '{Status.COMPLETED}'")
"""The condition of `ix_orders_billable`, word for word as that of `ix_orders_open`."""
Index(
    "ix_orders_billable",
    orders.c.partner_id,
    orders.c.executed_on,
    orders.c.sp_id,
    sqlite_where=is_billable,
    postgresql_where=is_billable,
)

documents = Table(
    "documents",
    metadata,
    Column("sp_id", Key, ForeignKey(orders.c.sp_id), primary_key=True),
    # domain.orders.order.Order as JSON, of orders.version: what the order has of its own, and what was pinned into it
    Column("document", Text, nullable=False),
    Column("pinned", Text, nullable=False),
)

timeline = Table(
    "timeline",
    metadata,
    Column("sp_id", Key, ForeignKey(orders.c.sp_id), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("type", String, nullable=False),
    Column("by", String, nullable=False),
    Column("data", Text, nullable=False),  # domain.orders.events.Event as JSON
    sqlite_with_rowid=False,
)

deadlines = Table(
    "deadlines",
    metadata,
    Column("sp_id", Key, ForeignKey(orders.c.sp_id), primary_key=True),
    Column("seq", Integer, primary_key=True),  # place in the order's deadlines, from 1
    Column("kind", String, nullable=False),
    Column("partner_id", Key, nullable=False),
    Column("started", Instant, nullable=False),
    Column("due", Instant, nullable=False),
    Column("missed", Boolean, nullable=False),
    Column("ended", Instant),
    Column("outcome", String),
    Column("excused_until", Instant),  # a miss until then is not the partner's (`punctuality`)
    sqlite_with_rowid=False,
)
# Only of what never changes, so that a deadline that ends moves nothing in it.
Index("ix_deadlines_month", deadlines.c.due, deadlines.c.kind, deadlines.c.partner_id)

partners = Table(
    "partners",
    metadata,
    Column("partner_id", Key, primary_key=True),
    Column("name", String, nullable=False),
    Column("canton", String(2), nullable=False),
    Column("language", String(2), nullable=False),
    Column("email", String, nullable=False),
    Column("phone", String, nullable=False),
    Column("street", String, nullable=False),
    Column("postal_code", String, nullable=False),
    Column("city", String, nullable=False),
    Column("vat_number", String),
    Column("iban", String),
    Column("escalation_email", String),
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
)

# Without a foreign key: a mail may go out before the row of what it is about is written.
mails = Table(
    "mails",
    metadata,
    Column("key", String, primary_key=True),
    Column("about", Key, nullable=False, index=True),  # an SP-ID, a settlement id, …: a thread
    Column("kind", String, nullable=False),
    Column("audience", String, nullable=False),
    Column("recipient", String, nullable=False),
    Column("message_id", String, nullable=False),
    Column("state", String, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("first_tried_at", Instant, nullable=False),
    Column("sent_at", Instant),
    Column("last_error", Text),
    # When the web process tries it again; none: it is done, or a workflow sees to it.
    Column("next_attempt_at", Instant),
)
is_undelivered = text("state <> 'sent'")
"""The condition of `ix_mails_undelivered`, word for word as that of `ix_orders_open`."""
Index(
    "ix_mails_undelivered",
    mails.c.first_tried_at,
    mails.c.key,
    sqlite_where=is_undelivered,
    postgresql_where=is_undelivered,
)
_is_pending = mails.c.next_attempt_at.is_not(None)
Index(
    "ix_mails_pending",
    mails.c.next_attempt_at,
    sqlite_where=_is_pending,
    postgresql_where=_is_pending,
)

# --- settlements -------------------------------------------------------------------------------------------------

# What lists and searches read; the settlement itself is in `settlement_documents`.
settlements = Table(
    "settlements",
    metadata,
    Column("settlement_id", Key, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("partner_id", Key, nullable=False),
    Column("partner_name", String, nullable=False),
    Column("month", String(7), nullable=False),
    Column("status", String, nullable=False),
    Column("orders", Integer, nullable=False),
    Column("net", Money, nullable=False),
    Column("vat", Money, nullable=False),
    Column("total", Money, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("selectable_until", Instant),
    Column("issued_at", Instant),
    Column("invoice_due", Instant),
    Column("search", Text, nullable=False),  # settlement id, partner's id and name, folded
    Column("digest", String),  # as in `orders`
)
# A partner has one settlement for a month, even if it was voided (docs/rules.md, "Settlement").
Index("ix_settlements_month_of_partner", settlements.c.partner_id, settlements.c.month, unique=True)
Index("ix_settlements_newest", settlements.c.opened_at, settlements.c.settlement_id)
Index(
    "ix_settlements_partner_newest",
    settlements.c.partner_id,
    settlements.c.opened_at,
    settlements.c.settlement_id,
)

settlement_documents = Table(
    "settlement_documents",
    metadata,
    Column("settlement_id", Key, ForeignKey(settlements.c.settlement_id), primary_key=True),
    Column("document", Text, nullable=False),  # domain.settlements.settlement.Settlement as JSON
)

settlement_timeline = Table(
    "settlement_timeline",
    metadata,
    Column("settlement_id", Key, ForeignKey(settlements.c.settlement_id), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("type", String, nullable=False),
    Column("by", String, nullable=False),
    Column("data", Text, nullable=False),  # domain.settlements.events.SettlementEvent as JSON
    sqlite_with_rowid=False,
)

# The orders of a settlement as they are billed: the picked ones until they are claimed, then those that it billed.
settlement_lines = Table(
    "settlement_lines",
    metadata,
    Column("settlement_id", Key, ForeignKey(settlements.c.settlement_id), primary_key=True),
    Column("sp_id", Key, primary_key=True),
    Column("sales_order_id", String, nullable=False),
    Column("executed_on", Date, nullable=False),
    Column("service", String, nullable=False),
    Column("customer_place", String, nullable=False),
    Column("fee", Money, nullable=False),
    Column("billed", Boolean, nullable=False),  # claimed, by a settlement that was not taken back
    # by the order itself when it was claimed; else it is what the records knew of the order
    Column("told", Boolean, nullable=False, server_default=false()),
    sqlite_with_rowid=False,
)
_is_billed = settlement_lines.c.billed
# No order is billed twice: its own workflow makes sure of that, and this index would stop a mistake there.
Index(
    "ix_settlement_lines_billed_once",
    settlement_lines.c.sp_id,
    unique=True,
    sqlite_where=_is_billed,
    postgresql_where=_is_billed,
)

# Amounts that operations add to a partner's next settlement. Only `settlement_id` ever changes.
corrections = Table(
    "corrections",
    metadata,
    Column("correction_id", Key, primary_key=True),
    Column("partner_id", Key, nullable=False),
    Column("sp_id", Key, nullable=False),
    Column("reason", Text, nullable=False),
    Column("amount", Money, nullable=False),
    Column("executed_on", Date),
    Column("by", String, nullable=False),
    Column("at", Instant, nullable=False),
    Column("settlement_id", Key, index=True),  # that bills it; none: the partner's next one will
)
Index(
    "ix_corrections_partner_newest",
    corrections.c.partner_id,
    corrections.c.at,
    corrections.c.correction_id,
)

# The bytes of statements, drafts and invoices, never changed. Without a foreign key, as `mails`.
papers = Table(
    "papers",
    metadata,
    Column("paper_id", Key, primary_key=True),
    Column("settlement_id", Key, nullable=False),
    Column("kind", String, nullable=False),  # records.papers.PaperKind
    Column("name", String, nullable=False),  # of the file
    Column("content", LargeBinary, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("pages", Integer),
    Column(
        "template_version", String, nullable=False
    ),  # what it was made with and from, if we made it
    Column("input_checksum", String, nullable=False),
    Column("inputs", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
)
Index("ix_papers_settlement", papers.c.settlement_id, papers.c.kind, papers.c.created_at)

# How orders and their workflows differ, as the reconciler found. By run, since an order may have had several.
findings = Table(
    "findings",
    metadata,
    Column("sp_id", Key, primary_key=True),
    Column("kind", String, primary_key=True),  # contracts.activities.FindingKind
    Column("run_id", String, primary_key=True),  # empty: there is no workflow
    Column("found_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),  # by the last pass that saw it
    Column("reported_at", Instant),
    Column("ended_at", Instant),  # repaired, or not seen any more
    Column("repaired", Boolean, nullable=False),
)
_is_unended = findings.c.ended_at.is_(None)
Index(
    "ix_findings_unended",
    findings.c.found_at,
    findings.c.sp_id,
    sqlite_where=_is_unended,
    postgresql_where=_is_unended,
)

# When an order and its workflow were last the same: as long as neither moves they need not be compared again.
comparisons = Table(
    "comparisons",
    metadata,
    Column("sp_id", Key, primary_key=True),
    Column("run_id", String, nullable=False),
    Column("history_length", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("digest", String),
)
