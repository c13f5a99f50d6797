"""The tables of partners' calendars: what they show of orders, and who has subscribed to one."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table

from records.tables.accounts import users
from records.tables.types import Instant, Key, metadata

# One row for each partner that has, or had, a visit of the order in its calendar.
calendar_entries = Table(
    "calendar_entries",
    metadata,
    Column("sp_id", Key, primary_key=True),
    Column("partner_id", Key, primary_key=True),
    Column("start", Instant, nullable=False),
    Column("end", Instant, nullable=False),
    Column("whole_day", Boolean, nullable=False),
    Column("fallen_at", Instant),  # when the visit was removed before it was over; null: it was not
    Column("sequence", Integer, nullable=False),  # the version of the order that wrote the row
    Index("ix_calendar_entries_partner", "partner_id", "end"),
)

# The subscription of a person: whoever knows the secret in its address reads the calendar without a login.
calendar_feeds = Table(
    "calendar_feeds",
    metadata,
    Column("user_id", Key, ForeignKey(users.c.user_id, ondelete="CASCADE"), primary_key=True),
    Column("secret_hash", String(64), nullable=False),
    Column("everybody", Boolean, nullable=False),  # whether it has the visits of all of the firm
    Column("made_at", Instant, nullable=False),
    Column("last_read_at", Instant, nullable=False),  # at first: when it was made
    Column("content", String(64), nullable=False),  # a hash of what was read last
    Column("changed_at", Instant, nullable=False),  # when it last changed
)
Index("ix_calendar_feeds_secret_hash", calendar_feeds.c.secret_hash, unique=True)
