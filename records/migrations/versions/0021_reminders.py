"""The table of personal reminders."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0022"
branch_labels = None
depends_on = None

# as in records/tables/ at this revision
INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """To this revision."""
    op.create_table(
        "reminders",
        sa.Column("login_id", KEY, primary_key=True),
        sa.Column("sp_id", KEY, primary_key=True),
        sa.Column("due", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("login_id", "sp_id", name="pk_reminders"),
    )


def downgrade() -> None:
    """Back from it."""
    op.drop_table("reminders")
