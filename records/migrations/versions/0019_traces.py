"""The tables of security events, and of who looked at a customer's data."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0020"
branch_labels = None
depends_on = None

# as in records/tables/ at this revision
INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """To this revision."""
    op.create_table(
        "security_events",
        sa.Column("event_id", KEY, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("kind", KEY, nullable=False),
        sa.Column("outcome", KEY, nullable=False),
        sa.Column("account", KEY, nullable=False),
        sa.Column("address", KEY, nullable=False),
        sa.Column("network", KEY, nullable=False),
        sa.Column("about", KEY, nullable=False),
        sa.Column("request_id", KEY, nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_security_events"),
    )
    op.create_index("ix_security_events_at", "security_events", ["at", "event_id"])
    op.create_index("ix_security_events_account", "security_events", ["account", "at"])
    op.create_table(
        "lookups",
        sa.Column("sp_id", KEY, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("login_id", KEY, nullable=False),
        sa.Column("how", KEY, nullable=False),
        sa.Column("first_at", INSTANT, nullable=False),
        sa.Column("last_at", INSTANT, nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("sp_id", "day", "login_id", "how", name="pk_lookups"),
    )
    op.create_index("ix_lookups_day", "lookups", ["day"])


def downgrade() -> None:
    """Back from it."""
    op.drop_table("lookups")
    op.drop_table("security_events")
