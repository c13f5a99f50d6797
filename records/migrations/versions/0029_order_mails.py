"""The table of events of orders that mails may follow from."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0027"
branch_labels = None
depends_on = None

# as in records/tables/ at this revision
INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """To this revision."""
    op.create_table(
        "order_mails",
        sa.Column("sp_id", KEY, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("occasion", KEY, nullable=False),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("next_attempt_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("sp_id", "seq", "occasion", name="pk_order_mails"),
    )
    op.create_index("ix_order_mails_next_attempt_at", "order_mails", ["next_attempt_at"])


def downgrade() -> None:
    """Back from it."""
    op.drop_table("order_mails")
