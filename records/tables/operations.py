"""The tables of what operations keep and ask: views of the list of orders, and reminders that they ask partners for."""

from sqlalchemy import Column, ForeignKey, Index, String, Table, Text

from records.tables.accounts import users
from records.tables.types import Instant, Key, metadata

# Named filters of the list of orders. They never hold the searched text, which may be a customer's name.
list_views = Table(
    "list_views",
    metadata,
    Column("view_id", Key, primary_key=True),
    Column("login_id", Key, ForeignKey(users.c.user_id, ondelete="CASCADE"), nullable=False),
    Column("name", String, nullable=False),
    Column("query", Text, nullable=False),
)
Index("ix_list_views_login_id_name", list_views.c.login_id, list_views.c.name, unique=True)

# A mail to a partner that asks it to go on with orders. `key` is that of the mail.
asked_reminders = Table(
    "asked_reminders",
    metadata,
    Column("key", String, primary_key=True),
    Column("partner_id", Key, nullable=False),
    Column("asked_by", String, nullable=False),
    Column("asked_at", Instant, nullable=False),
    # When the web process tries it again; null: it is sent, given up, or obsolete.
    Column("next_attempt_at", Instant),
)
_is_pending = asked_reminders.c.next_attempt_at.is_not(None)
Index(
    "ix_asked_reminders_pending",
    asked_reminders.c.next_attempt_at,
    sqlite_where=_is_pending,
    postgresql_where=_is_pending,
)

asked_reminder_orders = Table(
    "asked_reminder_orders",
    metadata,
    Column("key", String, ForeignKey(asked_reminders.c.key), primary_key=True),
    Column("sp_id", Key, primary_key=True),
    Column("asked_at", Instant, nullable=False),
)
Index(
    "ix_asked_reminder_orders_sp_id",
    asked_reminder_orders.c.sp_id,
    asked_reminder_orders.c.asked_at,
)
