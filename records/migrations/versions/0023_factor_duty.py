"""When a login was first used, when its second factor was reset, and when a session was last confirmed.

For logins that were used before, this moment counts as the first time.
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from records.tables.types import Instant

revision = "0023"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """To this revision."""
    op.add_column("users", sa.Column("first_login_at", Instant))
    op.add_column("users", sa.Column("factor_reset_at", Instant))
    op.add_column("sessions", sa.Column("confirmed_at", Instant))
    users = sa.table(
        "users", sa.column("first_login_at", Instant), sa.column("last_login_at", Instant)
    )
    used = sa.update(users).where(users.c.last_login_at.is_not(None))
    op.get_bind().execute(used.values(first_login_at=datetime.now(UTC)))


def downgrade() -> None:
    """Back from it."""
    op.drop_column("sessions", "confirmed_at")
    op.drop_column("users", "factor_reset_at")
    op.drop_column("users", "first_login_at")
