"""Many orders in PostgreSQL, copied from a few by SQL."""

from datetime import UTC, datetime, timedelta

import asyncpg
from sqlalchemy import insert
from sqlalchemy.engine import make_url

from domain.orders.order import Order
from records.database import Database
from records.order_rows import deadline_rows, document_row, order_row
from records.tables import deadlines, documents, orders
from tests.support.builders import (
    AGREED,
    BILLED,
    COMPLETED,
    GOODS_THERE,
    REQUIREMENTS_MET,
    TRANSMITTED,
    lived,
)

OPEN = 20_000
"""How many orders are open."""
PARTNERS = 40
_LIVES = (BILLED, COMPLETED, AGREED, GOODS_THERE, REQUIREMENTS_MET, TRANSMITTED)
"""The first is that of the closed orders."""

# The n-th order: a template with other numbers, partner, customer and times. The first orders are open and the
# newest; one of them in twenty is late.
_TEMPLATE = f"CASE WHEN n > {{still_open}} THEN 'T-0' ELSE 'T-' || 1 + n % {len(_LIVES) - 1} END"
_SP_ID = "'SP-' || lpad(n::text, 7, '0')"
_PARTNER = f"'partner-' || lpad((n / 7 % {PARTNERS})::text, 2, '0')"
_NUMBER = "(48000000 + n * 7919::bigint % 1000000)"
_NAMES = "(ARRAY['muller','meier','keller','huber','bianchi','rochat','schmid','weber'])[1 + n % 8]"
_AT = "$3::timestamptz - n * interval '90 seconds'"
_CHANGED = {
    "sp_id": _SP_ID,
    "partner_id": _PARTNER,
    "placed_at": _AT,
    "changed_at": _AT,
    "next_due": "CASE WHEN n % 20 = 0 THEN o.next_due ELSE o.next_due + interval '400 days' END",
    "partner_due": "CASE WHEN n % 20 = 0 THEN o.partner_due ELSE o.partner_due + interval '400 days' END",
    "sales_order_id": f"{_NUMBER}::text",
    "search": rf"E'\n' || lower({_SP_ID}) || E'\n' || {_NUMBER} || E'\n' || {_NAMES} || ' '"
    r" || substr(md5(n::text), 1, 6) || E'\n' || (1000 + n % 9000) || ' zurich' || E'\n'",
    "search_contact": r"E'\n' || substr(md5(n::text), 7, 9) || E'strasse 1\n079' || 1000000 + n || E'\n'",
}
_FROM = f"FROM generate_series($1::int, $2::int) n JOIN {{table}} o ON o.sp_id = {_TEMPLATE}"


async def make_templates(database: Database) -> None:
    """An order of each life, from which the others are copied. They are placed two months ago."""
    at = datetime.now(UTC) - timedelta(days=60)
    made: list[Order] = [lived(*life, at=at, sp_id=f"T-{n}")[0] for n, life in enumerate(_LIVES)]
    async with database.writing() as connection:
        await connection.execute(insert(orders), [order_row(order) for order in made])
        await connection.execute(insert(documents), [document_row(order) for order in made])
        rows = [row for order in made for row in deadline_rows(order)]
        await connection.execute(insert(deadlines), rows)


async def fill(url: str, first: int, last: int, still_open: int = OPEN) -> None:
    """Add the orders of these numbers, with the rights of the owner, and gather statistics."""
    connection = await asyncpg.connect(
        make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    )
    await connection.execute("SET session_replication_role = replica")  # no triggers
    await connection.execute("SET default_toast_compression = lz4")
    # What is filled first and indexed afterwards takes a fraction of the time.
    slow = await connection.fetch("SELECT indexdef FROM pg_indexes WHERE indexdef LIKE '% gin %'")
    await connection.execute("DROP INDEX ix_orders_search, ix_orders_search_contact")
    columns = ", ".join(f"{_CHANGED.get(column.name, f'o.{column.name}')}" for column in orders.c)
    names = ", ".join(column.name for column in orders.c)
    now = datetime.now(UTC)
    await connection.fetch(
        f"INSERT INTO orders ({names}) SELECT {columns} {_FROM.format(table='orders', still_open=still_open)}",
        first,
        last,
        now,
    )
    document = f"replace(replace(o.document, o.sp_id, {_SP_ID}), 'elektro-huber', {_PARTNER})"
    await connection.fetch(
        f"INSERT INTO documents (sp_id, document, pinned) SELECT {_SP_ID}, {document}, o.pinned"
        f" {_FROM.format(table='documents', still_open=still_open)}",
        first,
        last,
    )
    names = ", ".join(column.name for column in deadlines.c)
    columns = ", ".join(
        {"sp_id": _SP_ID, "partner_id": _PARTNER}.get(column.name, f"o.{column.name}")
        for column in deadlines.c
    )
    await connection.fetch(
        f"INSERT INTO deadlines ({names}) SELECT {columns} {_FROM.format(table='deadlines', still_open=still_open)}",
        first,
        min(last, still_open),
    )
    for row in slow:
        await connection.execute(row["indexdef"])
    await connection.execute("TRUNCATE order_count_changes")
    await connection.execute(
        "INSERT INTO order_count_changes (partner_id, visible, status, change)"
        " SELECT partner_id, visible, status, count(*) FROM orders GROUP BY 1, 2, 3"
    )
    await connection.execute("VACUUM ANALYZE")
    await connection.close()
