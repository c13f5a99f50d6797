"""Tables for erased orders and for exports of a customer's data."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0021"
branch_labels = None
depends_on = None

# as in records/tables/ at this revision
INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """To this revision."""
    op.create_table(
        "erasures",
        sa.Column("sp_id", KEY, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("done_at", INSTANT),
        sa.PrimaryKeyConstraint("sp_id", name="pk_erasures"),
    )
    undone = sa.text("done_at IS NULL")
    op.create_index(
        "ix_erasures_undone", "erasures", ["sp_id"], sqlite_where=undone, postgresql_where=undone
    )
    op.create_table(
        "exports",
        sa.Column("export_id", KEY, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("sp_ids", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("export_id", name="pk_exports"),
    )


def downgrade() -> None:
    """Back from it. A writer of the former release may bring data of erased orders back."""
    op.drop_table("exports")
    op.drop_table("erasures")
