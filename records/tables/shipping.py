"""The tables of shipping requests for goods that several orders of one sales order line share."""

from sqlalchemy import Column, Integer, String, Table

from records.tables.types import Instant, Key, metadata

# The goods of an attempt are requested once for all orders of the line. After a stop they can be requested again, in
# another round.
line_requests = Table(
    "line_requests",
    metadata,
    Column("sales_order_id", String, primary_key=True),
    Column("line", String, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("round", Integer, primary_key=True),
    Column("sp_id", Key, nullable=False),  # of the order that asked first
    Column("claimed_at", Instant, nullable=False),
    Column("sent_at", Instant),  # null: it may not have reached the warehouse
    Column("stop_key", String),  # of the stop; null: the goods are still wanted
)

# Cancelled orders of a line. Their rows in `orders` may be behind.
line_withdrawals = Table(
    "line_withdrawals",
    metadata,
    Column("sales_order_id", String, primary_key=True),
    Column("line", String, primary_key=True),
    Column("sp_id", Key, primary_key=True),
)
