"""Orders have a column with the instant at which they were billed or cancelled, from which retention counts.

It is filled from the timelines. A worker of an older release writes none: `records.tables.ended_before` then counts
from the last change.
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0024"
branch_labels = None
depends_on = None

# as in records/tables/ at this revision
INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
IS_CLOSED = "status IN ('billed', 'cancelled')"
# The last of these events is the one that ended a closed order.
ENDINGS = "('billed', 'cancelled', 'requirements_rejected', 'review_decided')"


def upgrade() -> None:
    """To this revision."""
    op.add_column("orders", sa.Column("ended_at", INSTANT, nullable=True))
    op.execute(
        "UPDATE orders SET ended_at = (SELECT max(timeline.at) FROM timeline"
        f" WHERE timeline.sp_id = orders.sp_id AND timeline.type IN {ENDINGS}) WHERE {IS_CLOSED}"
    )
    op.create_index(
        "ix_orders_ended",
        "orders",
        ["ended_at"],
        sqlite_where=sa.text(IS_CLOSED),
        postgresql_where=sa.text(IS_CLOSED),
    )


def downgrade() -> None:
    """Back from it."""
    op.drop_index("ix_orders_ended", table_name="orders")
    op.drop_column("orders", "ended_at")
