"""Adds the version of the rules to settlements, and the table of the invoice numbers that partners have used.

A process of an older release goes on with settlements under version 1 of the rules.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

# as in records/tables/ at this revision
KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")


def upgrade() -> None:
    """To this revision."""
    op.add_column("settlements", sa.Column("rules", sa.Integer()))
    op.create_table(
        "invoice_numbers",
        sa.Column("partner_id", KEY, primary_key=True),
        sa.Column("number_key", KEY, primary_key=True),
        sa.Column("settlement_id", KEY, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
    )


def downgrade() -> None:
    """Back from it."""
    op.drop_table("invoice_numbers")
    op.drop_column("settlements", "rules")
