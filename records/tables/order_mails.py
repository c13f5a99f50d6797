"""The table of events of orders from which mails may follow, until these are sent."""

from sqlalchemy import Column, Integer, Table

from records.tables.types import Instant, Key, metadata

order_mails = Table(
    "order_mails",
    metadata,
    Column("sp_id", Key, primary_key=True),
    Column("seq", Integer, primary_key=True),  # of the event
    Column("occasion", Key, primary_key=True),  # domain.orders.recorded_mails.Occasion
    Column("asked_at", Instant, nullable=False),
    Column("next_attempt_at", Instant, nullable=False, index=True),
)
