"""The tables of orders: what lists read, the order itself, its timeline and its deadlines."""

from datetime import datetime

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Date,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    and_,
    literal_column,
    or_,
    text,
)

from domain.orders.order import Status
from records.tables.types import Instant, Key, metadata

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
    Column("next_due", Instant),  # the most urgent open deadline of any party
    Column("partner_due", Instant),  # the most urgent open deadline of the partner
    Column("sales_order_id", String, nullable=False),
    Column("executed_on", Date),
    Column("settlement_id", String),
    Column("search", Text, nullable=False),  # records.search.searchable
    Column("digest", String),  # of its events (domain/digest.py); null: written by an older release
    Column("sales_order_line", String),
    Column("appointment_start", Instant),  # of the standing appointment; null: none, or it is over
    Column("appointment_end", Instant),
    Column("search_contact", Text, nullable=False, server_default=""),  # records.search.searchable
    Column("ended_at", Instant),  # billed or cancelled; null: open, or an older release closed it
    Column("service", String),  # its code; null: an older release wrote the row
)

_has_due = orders.c.next_due.is_not(None)
_has_partner_due = orders.c.partner_due.is_not(None)
_FINAL = ", ".join(f"'{status}'" for status in Status if status.is_final)
is_open = text(f"status NOT IN ({_FINAL})")
"""The condition of `ix_orders_open`, exactly as in the index: with parameters a database would not use the index."""
is_closed = literal_column(f"status IN ({_FINAL})", Boolean)
"""The condition of `ix_orders_closed`, exactly as in the index."""

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
for _searched in (orders.c.search, orders.c.search_contact):
    Index(
        f"ix_orders_{_searched.name}",
        _searched,
        postgresql_using="gin",
        postgresql_ops={_searched.name: "gin_trgm_ops"},  # of the extension pg_trgm
        info={"only": "postgresql"},
    ).ddl_if(dialect="postgresql")
Index("ix_orders_sales_order", orders.c.sales_order_id, orders.c.sp_id)
_has_appointment = orders.c.appointment_end.is_not(None)
Index(
    "ix_orders_partner_appointments",
    orders.c.partner_id,
    orders.c.appointment_end,
    sqlite_where=_has_appointment,
    postgresql_where=_has_appointment,
)
Index("ix_orders_open", orders.c.sp_id, sqlite_where=is_open, postgresql_where=is_open)
Index(
    "ix_orders_open_services",
    orders.c.status,
    orders.c.service,
    sqlite_where=is_open,
    postgresql_where=is_open,
)
Index("ix_orders_closed", orders.c.changed_at, sqlite_where=is_closed, postgresql_where=is_closed)
Index("ix_orders_ended", orders.c.ended_at, sqlite_where=is_closed, postgresql_where=is_closed)


def ended_before(instant: datetime) -> ColumnElement[bool]:
    """Whether an order was billed or cancelled at this instant or earlier."""
    unknown = and_(orders.c.ended_at.is_(None), orders.c.changed_at <= instant)
    return and_(is_closed, or_(orders.c.ended_at <= instant, unknown))


is_billable = text(f"status = '{Status.COMPLETED}'")
"""The condition of `ix_orders_billable`, exactly as in the index."""
Index(
    "ix_orders_billable",
    orders.c.partner_id,
    orders.c.executed_on,
    orders.c.sp_id,
    sqlite_where=is_billable,
    postgresql_where=is_billable,
)

_is_executed = orders.c.executed_on.is_not(None)
Index(
    "ix_orders_executed",
    orders.c.executed_on,
    sqlite_where=_is_executed,
    postgresql_where=_is_executed,
)

documents = Table(
    "documents",
    metadata,
    Column("sp_id", Key, ForeignKey(orders.c.sp_id), primary_key=True),
    # domain.orders.order.Order as JSON, of orders.version: the order's own part, and what was pinned into it
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
    # a partner; in rows of an older release `by` contains it (domain/authors.py)
    Column("on_behalf_of", Key),
    Column("person", String),  # the name of the person who did it for its partner, if known
    sqlite_with_rowid=False,
)

is_taken_back = text("timeline.type = 'execution_taken_back'")
"""The condition of `ix_timeline_taken_back`, with the name of the table: other tables have a `type`, too."""
is_report = text(
    "type IN ('declined', 'requirements_rejected', 'problem_reported', 'not_executed')"
)
"""The condition of `ix_timeline_reports`, exactly as in the index: a partner says that something is not possible."""
Index("ix_timeline_reports", timeline.c.at, sqlite_where=is_report, postgresql_where=is_report)
_is_taken_back = text("type = 'execution_taken_back'")
Index(
    "ix_timeline_taken_back",
    timeline.c.sp_id,
    sqlite_where=_is_taken_back,
    postgresql_where=_is_taken_back,
)

deadlines = Table(
    "deadlines",
    metadata,
    Column("sp_id", Key, ForeignKey(orders.c.sp_id), primary_key=True),
    Column("seq", Integer, primary_key=True),  # position among the order's deadlines, from 1
    Column("kind", String, nullable=False),
    Column("partner_id", Key, nullable=False),
    Column("started", Instant, nullable=False),
    Column("due", Instant, nullable=False),
    Column("missed", Boolean, nullable=False),
    Column("ended", Instant),
    Column("outcome", String),
    Column("excused_until", Instant),  # a miss until then does not count (`punctuality`)
    sqlite_with_rowid=False,
)
# The index has only columns that hardly ever change, so that ending a deadline does not update it.
Index("ix_deadlines_month", deadlines.c.due, deadlines.c.kind, deadlines.c.partner_id)
