"""When a miss is not the partner's, the deadlines of a month, and the mails that did not get out."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# as in records/tables/ at this revision
INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")


def upgrade() -> None:
    """To this revision. What was missed before it is the partner's, as far as the records know."""
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
