"""An index for a partner's orders of one state, the most urgent first."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """To this revision."""
    op.create_index(
        "ix_orders_partner_work",
        "orders",
        ["partner_id", "visible", "status", "partner_due", "sp_id"],
    )


def downgrade() -> None:
    """Back from it."""
    op.drop_index("ix_orders_partner_work", "orders")
