"""Columns for sales order lines and appointments of orders; tables of shared shipping requests and of outages.

The open orders' appointments and lines are taken from their documents. A worker of an older release that still records
orders after this revision leaves these columns as they are.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

# as in records/tables/ at this revision
INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
DONE = "('completed', 'billed', 'cancelled')"
BATCH = 500


def upgrade() -> None:
    """To this revision."""
    op.add_column("orders", sa.Column("sales_order_line", sa.String()))
    op.add_column("orders", sa.Column("appointment_start", INSTANT))
    op.add_column("orders", sa.Column("appointment_end", INSTANT))
    _fill()
    op.create_index("ix_orders_sales_order", "orders", ["sales_order_id", "sp_id"])
    has_appointment = sa.text("appointment_end IS NOT NULL")
    op.create_index(
        "ix_orders_partner_appointments",
        "orders",
        ["partner_id", "appointment_end"],
        sqlite_where=has_appointment,
        postgresql_where=has_appointment,
    )
    taken_back = sa.text("type = 'execution_taken_back'")
    op.create_index(
        "ix_timeline_taken_back",
        "timeline",
        ["sp_id"],
        sqlite_where=taken_back,
        postgresql_where=taken_back,
    )
    op.create_table(
        "line_requests",
        sa.Column("sales_order_id", sa.String(), primary_key=True),
        sa.Column("line", sa.String(), primary_key=True),
        sa.Column("attempt", sa.Integer(), primary_key=True),
        sa.Column("round", sa.Integer(), primary_key=True),
        sa.Column("sp_id", KEY, nullable=False),
        sa.Column("claimed_at", INSTANT, nullable=False),
        sa.Column("sent_at", INSTANT),
        sa.Column("stop_key", sa.String()),
        sa.PrimaryKeyConstraint(
            "sales_order_id", "line", "attempt", "round", name="pk_line_requests"
        ),
    )
    op.create_table(
        "line_withdrawals",
        sa.Column("sales_order_id", sa.String(), primary_key=True),
        sa.Column("line", sa.String(), primary_key=True),
        sa.Column("sp_id", KEY, primary_key=True),
        sa.PrimaryKeyConstraint("sales_order_id", "line", "sp_id", name="pk_line_withdrawals"),
    )
    op.create_table(
        "heartbeats",
        sa.Column("kind", KEY, primary_key=True),
        sa.Column("process", KEY, primary_key=True),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("kind", "process", name="pk_heartbeats"),
    )
    op.create_table(
        "outages",
        sa.Column("begin", INSTANT, primary_key=True),
        sa.Column("end", INSTANT, nullable=False),
        sa.Column("kind", KEY, nullable=False),
        sa.Column("found_at", INSTANT, nullable=False),
        sa.Column("done_until", KEY),
        sa.Column("done_at", INSTANT),
        sa.PrimaryKeyConstraint("begin", name="pk_outages"),
    )
    undone = sa.text("done_at IS NULL")
    op.create_index(
        "ix_outages_undone", "outages", ["begin"], sqlite_where=undone, postgresql_where=undone
    )


def _fill() -> None:
    """Take appointments and lines of open orders from their documents."""
    connection = op.get_bind()
    changed = sa.text(
        "UPDATE orders SET sales_order_line = :line, appointment_start = :start, appointment_end = :end"
        " WHERE sp_id = :sp_id"
    ).bindparams(sa.bindparam("start", type_=INSTANT), sa.bindparam("end", type_=INSTANT))
    as_text = connection.dialect.name == "sqlite"
    for rows in _open_documents(connection):
        filled = []
        for sp_id, document in rows:
            order = json.loads(document)
            appointment = order.get("appointment")
            line = order["intake"]["placement"].get("sales_order_line")
            if line is None and appointment is None:
                continue
            start, end = (
                _instant(appointment[name], as_text) if appointment else None
                for name in ("start", "end")
            )
            filled.append({"sp_id": sp_id, "line": line, "start": start, "end": end})
        if filled:
            connection.execute(changed, filled)


def _open_documents(connection: sa.Connection) -> Iterator[list[Any]]:
    found = sa.text(
        "SELECT orders.sp_id, documents.document FROM orders JOIN documents ON documents.sp_id = orders.sp_id"
        f" WHERE orders.sp_id > :after AND orders.status NOT IN {DONE} ORDER BY orders.sp_id LIMIT {BATCH}"
    )
    after = ""
    while rows := connection.execute(found, {"after": after}).all():
        yield list(rows)
        after = rows[-1].sp_id


def _instant(text: str, as_text: bool) -> Any:
    instant = datetime.fromisoformat(text).astimezone(UTC)
    if not as_text:
        return instant
    return instant.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def downgrade() -> None:
    """Back from it."""
    op.drop_index("ix_outages_undone", "outages")
    for table in ("outages", "heartbeats", "line_withdrawals", "line_requests"):
        op.drop_table(table)
    op.drop_index("ix_timeline_taken_back", "timeline")
    op.drop_index("ix_orders_partner_appointments", "orders")
    op.drop_index("ix_orders_sales_order", "orders")
    for column in ("appointment_end", "appointment_start", "sales_order_line"):
        op.drop_column("orders", column)
