"""Adds what partners' money needs: the day of VAT liability, the history of IBANs, who made a token; and the number of
a settlement in its month.

A process of an older release knows only the first settlement of a month, and changes an IBAN at once: run none beside
the new ones for longer than the rollout.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# as in records/tables/ at this revision
KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
MONTH_INDEX = "ix_settlements_month_of_partner"


def upgrade() -> None:
    """To this revision."""
    op.add_column("partners", sa.Column("vat_liable_from", sa.Date()))
    op.add_column("partners", sa.Column("former_email", sa.String()))
    op.add_column("partners", sa.Column("email_changed_at", INSTANT))
    op.add_column("tokens", sa.Column("made_by", KEY))
    op.add_column(
        "settlements", sa.Column("number", sa.Integer(), nullable=False, server_default="1")
    )
    op.drop_index(MONTH_INDEX, "settlements")
    op.create_index(MONTH_INDEX, "settlements", ["partner_id", "month", "number"], unique=True)
    op.create_table(
        "iban_changes",
        sa.Column("change_id", KEY, primary_key=True),
        sa.Column("partner_id", KEY, sa.ForeignKey("partners.partner_id"), nullable=False),
        sa.Column("from_iban", sa.String()),
        sa.Column("to_iban", sa.String()),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("person", KEY, nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("decided_person", KEY),
        sa.Column("decided_by", sa.String()),
        sa.Column("decided_at", INSTANT),
    )
    op.create_index(
        "ix_iban_changes_partner_newest", "iban_changes", ["partner_id", "at", "change_id"]
    )
    pending = sa.text("status = 'pending'")
    op.create_index(
        "ix_iban_changes_one_pending",
        "iban_changes",
        ["partner_id"],
        unique=True,
        sqlite_where=pending,
        postgresql_where=pending,
    )
    op.create_table(
        "iban_mails",
        sa.Column("key", sa.String(), primary_key=True),
        sa.Column("change_id", KEY, sa.ForeignKey("iban_changes.change_id"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("next_attempt_at", INSTANT),
    )
    op.create_index("ix_iban_mails_change_id", "iban_mails", ["change_id"])
    op.create_index("ix_iban_mails_next_attempt_at", "iban_mails", ["next_attempt_at"])


def downgrade() -> None:
    """Back from it. Fails if a month has a further settlement, which the older release cannot know."""
    op.drop_table("iban_mails")
    op.drop_table("iban_changes")
    op.drop_index(MONTH_INDEX, "settlements")
    op.create_index(MONTH_INDEX, "settlements", ["partner_id", "month"], unique=True)
    op.drop_column("settlements", "number")
    op.drop_column("tokens", "made_by")
    op.drop_column("partners", "email_changed_at")
    op.drop_column("partners", "former_email")
    op.drop_column("partners", "vat_liable_from")
