"""The log of mails."""

from sqlalchemy import Column, Index, Integer, String, Table, Text, text

from records.tables.types import Instant, Key, metadata

# Without a foreign key: a mail may be sent before its order or settlement is recorded.
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
    # When the web process tries it again; null: no attempt is pending, or a workflow sends it.
    Column("next_attempt_at", Instant),
)
is_undelivered = text("state <> 'sent'")
"""The condition of `ix_mails_undelivered`. A query must repeat it exactly, as for `ix_orders_open`."""
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
