"""The table of erasures: orders whose customer's data were erased, and exports of a customer's data."""

from sqlalchemy import Column, Index, String, Table

from records.tables.types import Instant, Key, metadata

# A row is the reason why no writer brings the data of its order back (`records.orders.Orders.save`).
erasures = Table(
    "erasures",
    metadata,
    Column("sp_id", Key, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("by", String, nullable=False),  # domain.actors.Actor: who asked for it, or "system"
    Column("done_at", Instant),  # null: Temporal or files may still hold something of it
)
_is_undone = erasures.c.done_at.is_(None)
Index(
    "ix_erasures_undone",
    erasures.c.sp_id,
    sqlite_where=_is_undone,
    postgresql_where=_is_undone,
)

# Who was given all data of which orders. Without the customer's name, which would be kept by it.
exports = Table(
    "exports",
    metadata,
    Column("export_id", Key, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("by", String, nullable=False),
    Column("sp_ids", String, nullable=False),  # separated by blanks
)
