"""The tables of outages: when each process was last alive, and how far orders were told of each outage."""

from sqlalchemy import Column, Index, Table

from records.tables.types import Instant, Key, metadata

heartbeats = Table(
    "heartbeats",
    metadata,
    Column("kind", Key, primary_key=True),  # domain.outages.ProcessKind
    Column("process", Key, primary_key=True),  # a new id at each start
    Column("seen_at", Instant, nullable=False),
)

outages = Table(
    "outages",
    metadata,
    Column("begin", Instant, primary_key=True),
    Column("end", Instant, nullable=False),
    Column("kind", Key, nullable=False),
    Column("found_at", Instant, nullable=False),
    Column("done_until", Key),  # the last order, by its SP-ID, that was told of it
    Column("done_at", Instant),  # null: orders may still have to be told
)
_is_undone = outages.c.done_at.is_(None)
Index(
    "ix_outages_undone",
    outages.c.begin,
    sqlite_where=_is_undone,
    postgresql_where=_is_undone,
)
