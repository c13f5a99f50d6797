"""Roles and notifications of a partner's people, whose order is whose, and who did what in the timeline.

Logins of partners that exist are of the office.
"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0023"
branch_labels = None
depends_on = None

# as in records/tables/ at this revision
INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """To this revision."""
    op.add_column("users", sa.Column("partner_role", sa.String()))
    op.add_column("users", sa.Column("notifications", sa.String()))
    users = sa.table("users", sa.column("role"), sa.column("partner_role"))
    of_partners = sa.update(users).where(users.c.role == "partner")
    op.get_bind().execute(of_partners.values(partner_role="office"))
    op.add_column("timeline", sa.Column("person", sa.String()))
    op.create_table(
        "order_assignments",
        sa.Column("sp_id", KEY, nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("assigned_by", KEY, nullable=False),
        sa.Column("assigned_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("sp_id", name="pk_order_assignments"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.user_id"], name="fk_order_assignments_user_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_order_assignments_user_id", "order_assignments", ["user_id", "sp_id"])
    op.create_table(
        "person_mails",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("sp_id", KEY),
        sa.Column("seq", sa.Integer()),
        sa.Column("day", sa.Date()),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("next_attempt_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_person_mails"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.user_id"], name="fk_person_mails_user_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_person_mails_due", "person_mails", ["next_attempt_at"])
    op.create_index("ix_person_mails_user_id", "person_mails", ["user_id"])


def downgrade() -> None:
    """Back from it."""
    op.drop_table("person_mails")
    op.drop_table("order_assignments")
    op.drop_column("timeline", "person")
    op.drop_column("users", "notifications")
    op.drop_column("users", "partner_role")
