"""Kept answers are encrypted; invoices that were refused lose their bytes, and keep their verdict."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0029"
branch_labels = None
depends_on = None

# as in records/tables/ at this revision
INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """To this revision. Answers that were kept until now are readable, so they are deleted."""
    op.execute("DELETE FROM idempotency")
    op.add_column("idempotency", sa.Column("about", KEY))
    op.add_column("idempotency", sa.Column("answer", sa.LargeBinary()))
    op.create_index("ix_idempotency_about", "idempotency", ["about"])
    op.add_column("papers", sa.Column("verdict", sa.Text()))
    op.add_column("papers", sa.Column("deleted_at", INSTANT))


def downgrade() -> None:
    """To the one before. An older release cannot read the answers."""
    op.execute("DELETE FROM idempotency")
    op.drop_column("papers", "deleted_at")
    op.drop_column("papers", "verdict")
    op.drop_index("ix_idempotency_about", "idempotency")
    op.drop_column("idempotency", "answer")
    op.drop_column("idempotency", "about")
