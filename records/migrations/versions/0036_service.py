"""Orders have a column with their service, so that open ones are counted by state and service from an index alone.

It is filled for open orders from their documents; closed ones are not counted.
"""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0032"
branch_labels = None
depends_on = None

# as in records/tables/ at this revision
IS_OPEN = "status NOT IN ('billed', 'cancelled')"


def upgrade() -> None:
    """To this revision."""
    op.add_column("orders", sa.Column("service", sa.String(), nullable=True))
    if op.get_bind().dialect.name == "sqlite":
        service = "json_extract(document, '$.intake.placement.service.code')"
    else:
        service = "(document::json) #>> '{intake,placement,service,code}'"
    op.execute(
        f"UPDATE orders SET service = (SELECT {service} FROM documents"
        f" WHERE documents.sp_id = orders.sp_id) WHERE {IS_OPEN}"
    )
    op.create_index(
        "ix_orders_open_services",
        "orders",
        ["status", "service"],
        sqlite_where=sa.text(IS_OPEN),
        postgresql_where=sa.text(IS_OPEN),
    )


def downgrade() -> None:
    """Back from it."""
    op.drop_index("ix_orders_open_services", table_name="orders")
    op.drop_column("orders", "service")
