"""The table of notices about logins and tokens whose mails wait. A row is deleted once its mail is sent or given up."""

from sqlalchemy import Boolean, Column, String, Table, Text

from records.tables.types import Instant, Key, metadata

account_notices = Table(
    "account_notices",
    metadata,
    Column("key", String, primary_key=True),
    Column("kind", Key, nullable=False),  # records.account_notices.NoticeKind
    Column("about", Key, nullable=False),  # a user's or partner's id, or "tokens"
    Column("audience", Key, nullable=False),
    Column("recipient", String, nullable=False),
    Column("name", String, nullable=False),  # of the reader; empty for the whole team
    Column("language", String(2), nullable=False),
    Column("staff", Boolean, nullable=False),
    Column("facts", Text, nullable=False),  # as JSON
    Column("asked_at", Instant, nullable=False),
    Column("next_attempt_at", Instant, nullable=False, index=True),
)
