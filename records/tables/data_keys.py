"""The table of data keys: what Temporal stores of an order is encrypted with a key of its own (contracts/keys.py)."""

from sqlalchemy import Column, LargeBinary, String, Table

from records.tables.types import Instant, Key, metadata

data_keys = Table(
    "data_keys",
    metadata,
    Column("workflow_id", Key, primary_key=True),
    Column("key_id", String, nullable=False),  # of the master key that wraps it
    Column("wrapped", LargeBinary),  # null: erased
    Column("created_at", Instant, nullable=False),
    Column("erased_at", Instant),
)
