"""The tables of the reconciler: its findings, and comparisons that need no repetition."""

from sqlalchemy import Boolean, Column, Index, Integer, String, Table

from records.tables.types import Instant, Key, metadata

# Differences between orders and their workflows. The key contains the run, because an order may have several.
findings = Table(
    "findings",
    metadata,
    Column("about", Key, primary_key=True),
    Column("kind", String, primary_key=True),  # contracts.activities.FindingKind
    Column("run_id", String, primary_key=True),  # empty: there is no workflow
    Column("found_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),  # by the last pass that saw it
    Column("reported_at", Instant),
    Column("ended_at", Instant),  # repaired, or no longer seen
    Column("repaired", Boolean, nullable=False),
)
_is_unended = findings.c.ended_at.is_(None)
Index(
    "ix_findings_unended",
    findings.c.found_at,
    findings.c.about,
    sqlite_where=_is_unended,
    postgresql_where=_is_unended,
)

# Comparisons without a difference: until the row or the workflow changes, they need not be repeated.
comparisons = Table(
    "comparisons",
    metadata,
    Column("about", Key, primary_key=True),
    Column("run_id", String, nullable=False),
    Column("history_length", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("digest", String),
)
