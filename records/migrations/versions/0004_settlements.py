"""Settlements, their lines and timelines, corrections, papers; a mail may be about a settlement."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# as in records/tables/ at this revision
KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
MONEY = sa.Numeric(12, 2).with_variant(sa.String(13), "sqlite")


def upgrade() -> None:
    """To this revision."""
    op.create_table(
        "settlements",
        sa.Column("settlement_id", KEY, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("partner_name", sa.String, nullable=False),
        sa.Column("month", sa.String(7), nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("orders", sa.Integer, nullable=False),
        sa.Column("net", MONEY, nullable=False),
        sa.Column("vat", MONEY, nullable=False),
        sa.Column("total", MONEY, nullable=False),
        sa.Column("opened_at", INSTANT, nullable=False),
        sa.Column("selectable_until", INSTANT),
        sa.Column("issued_at", INSTANT),
        sa.Column("invoice_due", INSTANT),
        sa.Column("search", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("settlement_id", name="pk_settlements"),
    )
    op.create_index(
        "ix_settlements_month_of_partner", "settlements", ["partner_id", "month"], unique=True
    )
    op.create_index("ix_settlements_newest", "settlements", ["opened_at", "settlement_id"])
    op.create_index(
        "ix_settlements_partner_newest", "settlements", ["partner_id", "opened_at", "settlement_id"]
    )
    op.create_table(
        "settlement_documents",
        sa.Column("settlement_id", KEY, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("settlement_id", name="pk_settlement_documents"),
        sa.ForeignKeyConstraint(
            ["settlement_id"],
            ["settlements.settlement_id"],
            name="fk_settlement_documents_settlement_id",
        ),
    )
    op.create_table(
        "settlement_timeline",
        sa.Column("settlement_id", KEY, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("type", sa.String, nullable=False),
        sa.Column("by", sa.String, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("settlement_id", "seq", name="pk_settlement_timeline"),
        sa.ForeignKeyConstraint(
            ["settlement_id"],
            ["settlements.settlement_id"],
            name="fk_settlement_timeline_settlement_id",
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "settlement_lines",
        sa.Column("settlement_id", KEY, nullable=False),
        sa.Column("sp_id", KEY, nullable=False),
        sa.Column("sales_order_id", sa.String, nullable=False),
        sa.Column("executed_on", sa.Date, nullable=False),
        sa.Column("service", sa.String, nullable=False),
        sa.Column("customer_place", sa.String, nullable=False),
        sa.Column("fee", MONEY, nullable=False),
        sa.Column("billed", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("settlement_id", "sp_id", name="pk_settlement_lines"),
        sa.ForeignKeyConstraint(
            ["settlement_id"],
            ["settlements.settlement_id"],
            name="fk_settlement_lines_settlement_id",
        ),
        sqlite_with_rowid=False,
    )
    billed = sa.text("billed")
    op.create_index(
        "ix_settlement_lines_billed_once",
        "settlement_lines",
        ["sp_id"],
        unique=True,
        sqlite_where=billed,
        postgresql_where=billed,
    )
    op.create_table(
        "corrections",
        sa.Column("correction_id", KEY, nullable=False),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("sp_id", KEY, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("amount", MONEY, nullable=False),
        sa.Column("executed_on", sa.Date),
        sa.Column("by", sa.String, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("settlement_id", KEY),
        sa.PrimaryKeyConstraint("correction_id", name="pk_corrections"),
    )
    op.create_index("ix_corrections_settlement_id", "corrections", ["settlement_id"])
    op.create_index(
        "ix_corrections_partner_newest", "corrections", ["partner_id", "at", "correction_id"]
    )
    op.create_table(
        "papers",
        sa.Column("paper_id", KEY, nullable=False),
        sa.Column("settlement_id", KEY, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("pages", sa.Integer),
        sa.Column("template_version", sa.String, nullable=False),
        sa.Column("input_checksum", sa.String, nullable=False),
        sa.Column("inputs", sa.Text, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("paper_id", name="pk_papers"),
    )
    op.create_index("ix_papers_settlement", "papers", ["settlement_id", "kind", "created_at"])
    completed = sa.text("status = 'completed'")
    op.create_index(
        "ix_orders_billable",
        "orders",
        ["partner_id", "executed_on", "sp_id"],
        sqlite_where=completed,
        postgresql_where=completed,
    )
    _rename_in_mails("sp_id", "about")


def downgrade() -> None:
    """Back from it: settlements, corrections and papers are lost."""
    _rename_in_mails("about", "sp_id")
    op.drop_index("ix_orders_billable", "orders")
    for table in (
        "papers",
        "corrections",
        "settlement_lines",
        "settlement_timeline",
        "settlement_documents",
        "settlements",
    ):
        op.drop_table(table)


def _rename_in_mails(old: str, new: str) -> None:
    op.drop_index(f"ix_mails_{old}", "mails")
    # Both databases have this statement; Alembic would copy SQLite's table.
    op.execute(f"ALTER TABLE mails RENAME COLUMN {old} TO {new}")
    op.create_index(f"ix_mails_{new}", "mails", [new])
