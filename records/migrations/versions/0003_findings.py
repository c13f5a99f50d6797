"""The findings of the reconciler, and its comparisons."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# as in records/tables/ at this revision
KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")


def upgrade() -> None:
    """To this revision."""
    op.create_table(
        "findings",
        sa.Column("sp_id", KEY, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("run_id", sa.String, nullable=False),
        sa.Column("found_at", INSTANT, nullable=False),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.Column("reported_at", INSTANT),
        sa.Column("ended_at", INSTANT),
        sa.Column("repaired", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("sp_id", "kind", "run_id", name="pk_findings"),
    )
    unended = sa.text("ended_at IS NULL")
    op.create_index(
        "ix_findings_unended",
        "findings",
        ["found_at", "sp_id"],
        sqlite_where=unended,
        postgresql_where=unended,
    )
    op.create_table(
        "comparisons",
        sa.Column("sp_id", KEY, nullable=False),
        sa.Column("run_id", sa.String, nullable=False),
        sa.Column("history_length", sa.Integer, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("sp_id", name="pk_comparisons"),
    )


def downgrade() -> None:
    """Back from it: the findings are lost."""
    op.drop_table("comparisons")
    op.drop_table("findings")
