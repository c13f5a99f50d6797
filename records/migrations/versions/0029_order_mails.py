"""The tables of events of orders that mails may follow from, and of customers' links and wishes."""

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
    op.create_table(
        "customer_links",
        sa.Column("hash", KEY, nullable=False),
        sa.Column("sp_id", KEY, nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_customer_links"),
    )
    op.create_index("ix_customer_links_sp_id", "customer_links", ["sp_id"])
    op.create_table(
        "customer_wishes",
        sa.Column("sp_id", KEY, nullable=False),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("start", INSTANT, nullable=False),
        sa.Column("due", INSTANT, nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("done_at", INSTANT),
        sa.PrimaryKeyConstraint("sp_id", name="pk_customer_wishes"),
    )
    op.create_index("ix_customer_wishes_done_at", "customer_wishes", ["done_at"])


def downgrade() -> None:
    """Back from it."""
    op.drop_table("customer_wishes")
    op.drop_table("customer_links")
    op.drop_table("order_mails")
