"""The changes of the number of orders in each state (records/order_counts.py). Only PostgreSQL fills the table."""

from sqlalchemy import DDL, BigInteger, Boolean, Column, Index, Integer, String, Table, event

from records.tables.orders import orders
from records.tables.types import Key, metadata

order_count_changes = Table(
    "order_count_changes",
    metadata,
    Column("change_id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("partner_id", Key, nullable=False),
    Column("visible", Boolean, nullable=False),
    Column("status", String, nullable=False),
    Column("change", BigInteger, nullable=False),
    Index("ix_order_count_changes_partner", "partner_id"),
)

FUNCTION = """
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
for _statement in (FUNCTION, *TRIGGERS):
    event.listen(
        orders,
        "after_create",
        DDL(_statement).execute_if(dialect="postgresql"),  # type: ignore[no-untyped-call]
    )
