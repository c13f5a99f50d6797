"""The tables of messages about orders: messages and notes, what each login has read, mails that wait."""

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text, text

from records.tables.types import Instant, Key, metadata

order_messages = Table(
    "order_messages",
    metadata,
    Column("sp_id", Key, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),  # within the order
    Column("message_id", Key, nullable=False),
    Column("partner_id", Key, nullable=False),  # with whom it was written
    Column("side", String, nullable=False),  # partner, operations
    Column("internal", Boolean, nullable=False),  # a note, which only operations see
    Column("login_id", Key, nullable=False),
    Column("author", String, nullable=False),
    Column("text", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("due", Instant),  # of the answer of operations
    Column("answered_at", Instant),
    Column("mail_key", Key),  # the mail in `message_mails` that has it, or had it
)
Index("ix_order_messages_message_id", order_messages.c.message_id, unique=True)
Index("ix_order_messages_mail_key", order_messages.c.mail_key)
Index("ix_order_messages_recent", order_messages.c.at, order_messages.c.sp_id)
waits_for_answer = text("side = 'partner' AND answered_at IS NULL")
"""The condition of `ix_order_messages_waiting`. A query must repeat it exactly."""
Index(
    "ix_order_messages_waiting",
    order_messages.c.due,
    order_messages.c.sp_id,
    sqlite_where=waits_for_answer,
    postgresql_where=waits_for_answer,
)

# The last message of an order that a login was shown.
message_reads = Table(
    "message_reads",
    metadata,
    Column("login_id", Key, primary_key=True),
    Column("sp_id", Key, primary_key=True),
    Column("seq", Integer, nullable=False),
)
Index("ix_message_reads_sp_id", message_reads.c.sp_id)

# Mails about messages that are still to be sent. Their messages are those with its key.
message_mails = Table(
    "message_mails",
    metadata,
    Column("key", Key, primary_key=True),
    Column("sp_id", Key, nullable=False),
    Column("partner_id", Key, nullable=False),
    Column("audience", String, nullable=False),  # partner, operations
    Column("asked_at", Instant, nullable=False),
    Column("next_attempt_at", Instant, nullable=False),
    Column("begun", Boolean, nullable=False),  # it takes no more messages
)
Index("ix_message_mails_due", message_mails.c.next_attempt_at)
Index("ix_message_mails_sp_id", message_mails.c.sp_id)
