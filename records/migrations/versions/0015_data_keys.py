"""A table for the data keys of orders, with which what Temporal stores of them is encrypted."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

# as in records/tables/ at this revision
INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """To this revision."""
    op.create_table(
        "data_keys",
        sa.Column("workflow_id", KEY, primary_key=True),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary()),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("erased_at", INSTANT),
        sa.PrimaryKeyConstraint("workflow_id", name="pk_data_keys"),
    )


def downgrade() -> None:
    """Back from it. What is encrypted with data keys cannot be read any more."""
    op.drop_table("data_keys")
