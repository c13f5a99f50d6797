"""The tables of photos and execution protocols."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0031"
branch_labels = None
depends_on = None

# as in records/tables/ at this revision
INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """To this revision."""
    op.create_table(
        "order_photos",
        sa.Column("photo_id", KEY, nullable=False),
        sa.Column("sp_id", KEY, nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("side", sa.String(), nullable=False),
        sa.Column("login_id", KEY, nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("small", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("photo_id", name="pk_order_photos"),
    )
    op.create_index(
        "ix_order_photos_content",
        "order_photos",
        ["sp_id", "partner_id", "kind", "sha256"],
        unique=True,
    )
    op.create_index("ix_order_photos_recent", "order_photos", ["partner_id", "at"])
    op.create_table(
        "execution_protocols",
        sa.Column("sp_id", KEY, nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("login_id", KEY, nullable=False),
        sa.Column("request_id", KEY, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("pdf", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("sp_id", "partner_id", "version", name="pk_execution_protocols"),
    )
    op.create_index(
        "ix_execution_protocols_request",
        "execution_protocols",
        ["sp_id", "request_id"],
        unique=True,
    )


def downgrade() -> None:
    """Back from it."""
    op.drop_table("execution_protocols")
    op.drop_table("order_photos")
