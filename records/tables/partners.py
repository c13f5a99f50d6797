"""The table of partners."""

from sqlalchemy import Column, Date, String, Table

from records.tables.types import Instant, Key, metadata

partners = Table(
    "partners",
    metadata,
    Column("partner_id", Key, primary_key=True),
    Column("name", String, nullable=False),
    Column("canton", String(2), nullable=False),
    Column("language", String(2), nullable=False),
    Column("email", String, nullable=False),
    Column("phone", String, nullable=False),
    Column("street", String, nullable=False),
    Column("postal_code", String, nullable=False),
    Column("city", String, nullable=False),
    Column("vat_number", String),
    Column("iban", String),
    Column("escalation_email", String),
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("vat_liable_from", Date),
    # The e-mail address before it was changed, and when. It is told of changes to the IBAN, too.
    Column("former_email", String),
    Column("email_changed_at", Instant),
    Column("status", String, nullable=False, server_default="active"),
    Column("policy", String),
)
