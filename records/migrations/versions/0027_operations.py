"""Views of the list of orders, reminders that operations ask for, and indexes of the report."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0030"
branch_labels = None
depends_on = None

# as in records/tables/ at this revision
INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
REPORTS = sa.text(
    "type IN ('declined', 'requirements_rejected', 'problem_reported', 'not_executed')"
)
EXECUTED = sa.text("executed_on IS NOT NULL")
PENDING = sa.text("next_attempt_at IS NOT NULL")


def upgrade() -> None:
    """To this revision."""
    op.create_table(
        "list_views",
        sa.Column("view_id", KEY, nullable=False),
        sa.Column("login_id", KEY, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("view_id", name="pk_list_views"),
        sa.ForeignKeyConstraint(
            ["login_id"], ["users.user_id"], name="fk_list_views_login_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_list_views_login_id_name", "list_views", ["login_id", "name"], unique=True)
    op.create_table(
        "asked_reminders",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("next_attempt_at", INSTANT),
        sa.PrimaryKeyConstraint("key", name="pk_asked_reminders"),
    )
    op.create_index(
        "ix_asked_reminders_pending",
        "asked_reminders",
        ["next_attempt_at"],
        sqlite_where=PENDING,
        postgresql_where=PENDING,
    )
    op.create_table(
        "asked_reminder_orders",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("sp_id", KEY, nullable=False),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("key", "sp_id", name="pk_asked_reminder_orders"),
        sa.ForeignKeyConstraint(
            ["key"], ["asked_reminders.key"], name="fk_asked_reminder_orders_key"
        ),
    )
    op.create_index(
        "ix_asked_reminder_orders_sp_id", "asked_reminder_orders", ["sp_id", "asked_at"]
    )
    op.create_index(
        "ix_timeline_reports",
        "timeline",
        ["at"],
        sqlite_where=REPORTS,
        postgresql_where=REPORTS,
    )
    op.create_index(
        "ix_orders_executed",
        "orders",
        ["executed_on"],
        sqlite_where=EXECUTED,
        postgresql_where=EXECUTED,
    )


def downgrade() -> None:
    """Back from it."""
    op.drop_index("ix_orders_executed", "orders")
    op.drop_index("ix_timeline_reports", "timeline")
    op.drop_table("asked_reminder_orders")
    op.drop_table("asked_reminders")
    op.drop_table("list_views")
