"""Digests of events, and which lines of a settlement the orders have confirmed."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """To this revision. Older rows have no digest: the next write asks the workflow for its history."""
    op.add_column("orders", sa.Column("digest", sa.String()))
    op.add_column("settlements", sa.Column("digest", sa.String()))
    op.add_column("comparisons", sa.Column("digest", sa.String()))
    # These comparisons considered only versions, not digests.
    op.execute("DELETE FROM comparisons")
    closed = sa.text("status IN ('billed', 'cancelled')")
    op.create_index(
        "ix_orders_closed", "orders", ["changed_at"], sqlite_where=closed, postgresql_where=closed
    )
    op.add_column(
        "settlement_lines",
        sa.Column("told", sa.Boolean(), nullable=False, server_default=sa.false()),
    )


def downgrade() -> None:
    """Back from it."""
    op.drop_column("settlement_lines", "told")
    op.drop_index("ix_orders_closed", "orders")
    op.drop_column("comparisons", "digest")
    op.drop_column("settlements", "digest")
    op.drop_column("orders", "digest")
