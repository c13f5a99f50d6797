"""The tables of traces: security events, and who looked at a customer's data."""

from sqlalchemy import Column, Date, Index, Integer, Table

from records.tables.types import Instant, Key, metadata

security_events = Table(
    "security_events",
    metadata,
    Column("event_id", Key, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("kind", Key, nullable=False),
    Column("outcome", Key, nullable=False),
    Column("account", Key, nullable=False),  # a pseudonym; empty if nobody is known
    Column("address", Key, nullable=False),  # a pseudonym
    Column("network", Key, nullable=False),  # a pseudonym of the /24 or /48 network
    Column("about", Key, nullable=False),  # an id: of an order, a settlement, a partner, a login
    Column("request_id", Key, nullable=False),
)
Index("ix_security_events_at", security_events.c.at, security_events.c.event_id)
Index("ix_security_events_account", security_events.c.account, security_events.c.at)

lookups = Table(
    "lookups",
    metadata,
    Column("sp_id", Key, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("login_id", Key, primary_key=True),  # of a user or a token
    Column("how", Key, primary_key=True),
    Column("first_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
    Column("times", Integer, nullable=False),
)
Index("ix_lookups_day", lookups.c.day)
