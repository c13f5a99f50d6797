"""The tables of customers' links to their orders, and of their wishes for another day."""

from sqlalchemy import Column, Table, Text

from records.tables.types import Instant, Key, metadata

customer_links = Table(
    "customer_links",
    metadata,
    Column("hash", Key, primary_key=True),  # of the secret, which is only in the mail
    Column("sp_id", Key, nullable=False, index=True),
    Column("made_at", Instant, nullable=False),
)
customer_wishes = Table(
    "customer_wishes",
    metadata,
    Column("sp_id", Key, primary_key=True),
    Column("asked_at", Instant, nullable=False),
    Column("start", Instant, nullable=False),  # of the appointment that is to be moved
    Column("due", Instant, nullable=False),
    Column("note", Text, nullable=False),
    Column("done_at", Instant, index=True),  # null: not answered yet
)
