"""Adds the status of partners and the name of the policy that a partner has of its own.

Existing partners are active and have the standard policy. Processes of an older release neither read nor change the new
columns: they place orders also for partners that are paused or have ended.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """To this revision."""
    op.add_column(
        "partners", sa.Column("status", sa.String(), nullable=False, server_default="active")
    )
    op.add_column("partners", sa.Column("policy", sa.String()))


def downgrade() -> None:
    """Back from it."""
    op.drop_column("partners", "policy")
    op.drop_column("partners", "status")
