"""Adds the browsers that have logged in before, whose own wrong guesses are counted apart from those of strangers."""

import sqlalchemy as sa
from alembic import op

from records.tables.types import Instant, Key

revision = "0018"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """To this revision."""
    op.create_table(
        "devices",
        sa.Column("secret_hash", sa.String(64), primary_key=True),
        sa.Column(
            "user_id", Key, sa.ForeignKey("users.user_id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("last_used_at", Instant, nullable=False),
    )
    op.create_index("ix_devices_user_id", "devices", ["user_id"])


def downgrade() -> None:
    """Back from it."""
    op.drop_index("ix_devices_user_id", "devices")
    op.drop_table("devices")
