"""The tables of messages about orders."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0026"
branch_labels = None
depends_on = None

# as in records/tables/ at this revision
INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
WAITS = sa.text("side = 'partner' AND answered_at IS NULL")


def upgrade() -> None:
    """To this revision."""
    op.create_table(
        "order_messages",
        sa.Column("sp_id", KEY, nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("message_id", KEY, nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("side", sa.String(), nullable=False),
        sa.Column("internal", sa.Boolean(), nullable=False),
        sa.Column("login_id", KEY, nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("due", INSTANT),
        sa.Column("answered_at", INSTANT),
        sa.Column("mail_key", KEY),
        sa.PrimaryKeyConstraint("sp_id", "seq", name="pk_order_messages"),
    )
    op.create_index("ix_order_messages_message_id", "order_messages", ["message_id"], unique=True)
    op.create_index("ix_order_messages_mail_key", "order_messages", ["mail_key"])
    op.create_index("ix_order_messages_recent", "order_messages", ["at", "sp_id"])
    op.create_index(
        "ix_order_messages_waiting",
        "order_messages",
        ["due", "sp_id"],
        sqlite_where=WAITS,
        postgresql_where=WAITS,
    )
    op.create_table(
        "message_reads",
        sa.Column("login_id", KEY, nullable=False),
        sa.Column("sp_id", KEY, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("login_id", "sp_id", name="pk_message_reads"),
    )
    op.create_index("ix_message_reads_sp_id", "message_reads", ["sp_id"])
    op.create_table(
        "message_mails",
        sa.Column("key", KEY, nullable=False),
        sa.Column("sp_id", KEY, nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("audience", sa.String(), nullable=False),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("next_attempt_at", INSTANT, nullable=False),
        sa.Column("begun", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_message_mails"),
    )
    op.create_index("ix_message_mails_due", "message_mails", ["next_attempt_at"])
    op.create_index("ix_message_mails_sp_id", "message_mails", ["sp_id"])


def downgrade() -> None:
    """Back from it."""
    op.drop_table("message_mails")
    op.drop_table("message_reads")
    op.drop_table("order_messages")
