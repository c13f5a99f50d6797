"""A column for excused misses, and indexes for the deadlines of a month and for undelivered mails."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# as in records/tables/ at this revision
INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")


def upgrade() -> None:
    """To this revision. Deadlines missed before it count as missed by the partner."""
    op.add_column("deadlines", sa.Column("excused_until", INSTANT))
    op.create_index("ix_deadlines_month", "deadlines", ["due", "kind", "partner_id"])
    undelivered = sa.text("state <> 'sent'")
    op.create_index(
        "ix_mails_undelivered",
        "mails",
        ["first_tried_at", "key"],
        sqlite_where=undelivered,
        postgresql_where=undelivered,
    )


def downgrade() -> None:
    """Back from it."""
    op.drop_index("ix_mails_undelivered", "mails")
    op.drop_index("ix_deadlines_month", "deadlines")
    op.drop_column("deadlines", "excused_until")
