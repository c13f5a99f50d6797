"""The tables of changed IBANs: the history of each partner's account, and the mails that tell the partner."""

from sqlalchemy import Column, ForeignKey, Index, String, Table, text

from records.tables.partners import partners
from records.tables.types import Instant, Key, metadata

iban_changes = Table(
    "iban_changes",
    metadata,
    Column("change_id", Key, primary_key=True),
    Column("partner_id", Key, ForeignKey(partners.c.partner_id), nullable=False),
    Column("from_iban", String),
    Column("to_iban", String),
    Column("status", String, nullable=False),  # records.iban_changes.ChangeStatus
    Column("person", Key, nullable=False),  # who changed it: records.iban_changes.Person
    Column("by", String, nullable=False),
    Column("at", Instant, nullable=False),
    Column("decided_person", Key),
    Column("decided_by", String),
    Column("decided_at", Instant),
)
Index(
    "ix_iban_changes_partner_newest",
    iban_changes.c.partner_id,
    iban_changes.c.at,
    iban_changes.c.change_id,
)
_is_pending = text("status = 'pending'")
Index(
    "ix_iban_changes_one_pending",
    iban_changes.c.partner_id,
    unique=True,
    sqlite_where=_is_pending,
    postgresql_where=_is_pending,
)

# Mails about a change, to the addresses that the partner had. They are added together with what they are about.
iban_mails = Table(
    "iban_mails",
    metadata,
    Column("key", String, primary_key=True),
    Column("change_id", Key, ForeignKey(iban_changes.c.change_id), nullable=False, index=True),
    Column("kind", String, nullable=False),
    Column("recipient", String, nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("next_attempt_at", Instant, index=True),  # null: it is sent or given up
)
