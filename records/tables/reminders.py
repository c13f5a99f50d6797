"""The table of personal reminders."""

from sqlalchemy import Column, Table

from records.tables.types import Instant, Key, metadata

reminders = Table(
    "reminders",
    metadata,
    Column("login_id", Key, primary_key=True),
    Column("sp_id", Key, primary_key=True),
    Column("due", Instant, nullable=False),
)
