"""On PostgreSQL, searches use indexes of three letters each, and the orders of each state are counted when they change.

The calls of tokens are counted over all web processes.

`pg_trgm` comes with PostgreSQL (Debian: in the server's package), and the owner of the database may add it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0036"
branch_labels = None
depends_on = None

# as in records/tables/ at this revision
INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
SEARCHED = ("search", "search_contact")
COUNT = """
CREATE OR REPLACE FUNCTION count_orders() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO order_count_changes (partner_id, visible, status, change)
            VALUES (OLD.partner_id, OLD.visible, OLD.status, -1);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO order_count_changes (partner_id, visible, status, change)
            VALUES (NEW.partner_id, NEW.visible, NEW.status, 1);
    END IF;
    RETURN NULL;
END $$
"""
TRIGGERS = (
    "CREATE TRIGGER orders_counted AFTER INSERT OR DELETE ON orders FOR EACH ROW EXECUTE FUNCTION count_orders()",
    "CREATE TRIGGER orders_recounted AFTER UPDATE ON orders FOR EACH ROW"
    " WHEN ((OLD.partner_id, OLD.visible, OLD.status)"
    " IS DISTINCT FROM (NEW.partner_id, NEW.visible, NEW.status)) EXECUTE FUNCTION count_orders()",
)


def upgrade() -> None:
    """To this revision."""
    op.create_table(
        "token_calls",
        sa.Column("token_id", KEY, nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("token_id", name="pk_token_calls"),
    )
    op.create_table(
        "order_count_changes",
        sa.Column(
            "change_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("partner_id", KEY, nullable=False),
        sa.Column("visible", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("change_id", name="pk_order_count_changes"),
    )
    op.create_index("ix_order_count_changes_partner", "order_count_changes", ["partner_id"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(COUNT)
        for trigger in TRIGGERS:
            op.execute(trigger)
        # The triggers keep writers out until this revision is committed, so none is counted twice or not at all.
        op.execute(
            "INSERT INTO order_count_changes (partner_id, visible, status, change)"
            " SELECT partner_id, visible, status, count(*) FROM orders GROUP BY 1, 2, 3"
        )
        op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        for column in SEARCHED:
            op.create_index(
                f"ix_orders_{column}",
                "orders",
                [column],
                postgresql_using="gin",
                postgresql_ops={column: "gin_trgm_ops"},
            )


def downgrade() -> None:
    """From this revision. The extension stays: another program may use it."""
    if op.get_bind().dialect.name == "postgresql":
        for column in SEARCHED:
            op.drop_index(f"ix_orders_{column}", "orders")
        for trigger in ("orders_counted", "orders_recounted"):
            op.execute(f"DROP TRIGGER {trigger} ON orders")
        op.execute("DROP FUNCTION count_orders")
    op.drop_table("order_count_changes")
    op.drop_table("token_calls")
