"""Sessions say from where they are, tokens why they ended, and notices to the owners of logins wait for their mails."""

import sqlalchemy as sa
from alembic import op

from records.tables.types import Instant, Key

revision = "0024"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """To this revision."""
    op.add_column("sessions", sa.Column("browser", sa.String))
    op.add_column("sessions", sa.Column("network", sa.String))
    op.add_column("tokens", sa.Column("ended_because", Key))
    op.add_column("tokens", sa.Column("end_told_at", Instant))
    op.create_index("ix_tokens_made_by", "tokens", ["made_by"])
    op.create_table(
        "account_notices",
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("kind", Key, nullable=False),
        sa.Column("about", Key, nullable=False),
        sa.Column("audience", Key, nullable=False),
        sa.Column("recipient", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("staff", sa.Boolean, nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("asked_at", Instant, nullable=False),
        sa.Column("next_attempt_at", Instant, nullable=False),
    )
    op.create_index("ix_account_notices_next_attempt_at", "account_notices", ["next_attempt_at"])


def downgrade() -> None:
    """Back from it."""
    op.drop_table("account_notices")
    op.drop_index("ix_tokens_made_by", "tokens")
    for table, column in (
        ("tokens", "end_told_at"),
        ("tokens", "ended_because"),
        ("sessions", "network"),
        ("sessions", "browser"),
    ):
        op.drop_column(table, column)
