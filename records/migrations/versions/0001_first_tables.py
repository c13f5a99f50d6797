"""Orders with their timeline and deadlines, partners, mails."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# as in records/tables/ at this revision
KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
MONEY = sa.Numeric(12, 2).with_variant(sa.String(13), "sqlite")


def upgrade() -> None:
    """To this revision."""
    op.create_table(
        "orders",
        sa.Column("sp_id", KEY, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("visible", sa.Boolean, nullable=False),
        sa.Column("placed_at", INSTANT, nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.Column("next_due", INSTANT),
        sa.Column("partner_due", INSTANT),
        sa.Column("sales_order_id", sa.String, nullable=False),
        sa.Column("canton", sa.String(2), nullable=False),
        sa.Column("fee", MONEY, nullable=False),
        sa.Column("executed_on", sa.Date),
        sa.Column("settlement_id", sa.String),
        sa.Column("search", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("sp_id", name="pk_orders"),
    )
    op.create_index("ix_orders_newest", "orders", ["placed_at", "sp_id"])
    op.create_index("ix_orders_status", "orders", ["status", "placed_at", "sp_id"])
    op.create_index(
        "ix_orders_partner_newest", "orders", ["partner_id", "visible", "placed_at", "sp_id"]
    )
    op.create_index(
        "ix_orders_partner_status",
        "orders",
        ["partner_id", "visible", "status", "placed_at", "sp_id"],
    )
    _create_partial_index("ix_orders_urgent", ["next_due", "sp_id"], "next_due IS NOT NULL")
    _create_partial_index(
        "ix_orders_partner_urgent",
        ["partner_id", "partner_due", "sp_id"],
        "partner_due IS NOT NULL",
    )
    _create_partial_index("ix_orders_open", ["sp_id"], "status NOT IN ('billed', 'cancelled')")
    op.create_table(
        "documents",
        sa.Column("sp_id", KEY, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("pinned", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("sp_id", name="pk_documents"),
        sa.ForeignKeyConstraint(["sp_id"], ["orders.sp_id"], name="fk_documents_sp_id"),
    )
    op.create_table(
        "timeline",
        sa.Column("sp_id", KEY, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("type", sa.String, nullable=False),
        sa.Column("by", sa.String, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("sp_id", "seq", name="pk_timeline"),
        sa.ForeignKeyConstraint(["sp_id"], ["orders.sp_id"], name="fk_timeline_sp_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "deadlines",
        sa.Column("sp_id", KEY, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("started", INSTANT, nullable=False),
        sa.Column("due", INSTANT, nullable=False),
        sa.Column("missed", sa.Boolean, nullable=False),
        sa.Column("ended", INSTANT),
        sa.Column("outcome", sa.String),
        sa.PrimaryKeyConstraint("sp_id", "seq", name="pk_deadlines"),
        sa.ForeignKeyConstraint(["sp_id"], ["orders.sp_id"], name="fk_deadlines_sp_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "partners",
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("canton", sa.String(2), nullable=False),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("email", sa.String, nullable=False),
        sa.Column("phone", sa.String, nullable=False),
        sa.Column("street", sa.String, nullable=False),
        sa.Column("postal_code", sa.String, nullable=False),
        sa.Column("city", sa.String, nullable=False),
        sa.Column("vat_number", sa.String),
        sa.Column("iban", sa.String),
        sa.Column("escalation_email", sa.String),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("partner_id", name="pk_partners"),
    )
    op.create_table(
        "mails",
        sa.Column("key", sa.String, nullable=False),
        sa.Column("sp_id", KEY, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("audience", sa.String, nullable=False),
        sa.Column("recipient", sa.String, nullable=False),
        sa.Column("message_id", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("first_tried_at", INSTANT, nullable=False),
        sa.Column("sent_at", INSTANT),
        sa.Column("last_error", sa.Text),
        sa.PrimaryKeyConstraint("key", name="pk_mails"),
    )
    op.create_index("ix_mails_sp_id", "mails", ["sp_id"])


def _create_partial_index(name: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, "orders", columns, sqlite_where=condition, postgresql_where=condition)


def downgrade() -> None:
    """Back from it: everything is lost."""
    for table in ("mails", "partners", "deadlines", "timeline", "documents", "orders"):
        op.drop_table(table)
