"""Searches read contact data, tracking numbers and settlements as well, and compare without accents.

The texts of all orders are made again from their documents. A worker of an older release that still records orders
after this revision writes the older text: such an order is found by less until it is recorded again.
"""

import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0018"
branch_labels = None
depends_on = None

BATCH = 500


def upgrade() -> None:
    """To this revision."""
    op.add_column(
        "orders", sa.Column("search_contact", sa.Text(), nullable=False, server_default="")
    )
    connection = op.get_bind()
    changed = sa.text(
        "UPDATE orders SET search = :search, search_contact = :contact WHERE sp_id = :sp_id"
    )
    for rows in _documents(connection):
        connection.execute(
            changed, [{"sp_id": sp_id, **_texts(json.loads(document))} for sp_id, document in rows]
        )
    _fill_settlements(connection)


def _fill_settlements(connection: sa.Connection) -> None:
    found = sa.text(
        "SELECT settlement_id, partner_id, partner_name FROM settlements"
        f" WHERE settlement_id > :after ORDER BY settlement_id LIMIT {BATCH}"
    )
    changed = sa.text("UPDATE settlements SET search = :search WHERE settlement_id = :key")
    after = ""
    while rows := connection.execute(found, {"after": after}).all():
        connection.execute(
            changed,
            [{"key": row.settlement_id, "search": _normalized("\n".join(row))} for row in rows],
        )
        after = rows[-1].settlement_id


def downgrade() -> None:
    """Back from it. The texts stay as they are; an older release finds less in them."""
    op.drop_column("orders", "search_contact")


def _documents(connection: sa.Connection) -> Iterator[list[Any]]:
    found = sa.text(
        f"SELECT sp_id, document FROM documents WHERE sp_id > :after ORDER BY sp_id LIMIT {BATCH}"
    )
    after = ""
    while rows := connection.execute(found, {"after": after}).all():
        yield list(rows)
        after = rows[-1].sp_id


# as in records/search.py at this revision
_UMLAUTS = re.compile("([aou])e")
_OTHER_LETTERS = str.maketrans({"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ı": "i"})


def _normalized(text: str) -> str:
    bare = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    letters = "".join(letter for letter in bare if not unicodedata.combining(letter))
    return _UMLAUTS.sub(r"\1", letters.translate(_OTHER_LETTERS))


def _digits(number: str) -> str:
    bare = re.sub(r"[^\d+]", "", number.replace("(0)", ""))
    return re.sub(r"\D", "", re.sub(r"^(\+41|0041)0?", "0", bare))


def _lines(*texts: str) -> str:
    return "\n".join(("", *(_normalized(text) for text in texts if text), ""))


def _texts(order: dict[str, Any]) -> dict[str, str]:
    placement = order["intake"]["placement"]
    customer = placement["customer"]
    trackings = [
        t for shipment in order.get("shipments", ()) for t in shipment.get("trackings", ())
    ]
    return {
        "search": _lines(
            placement["sp_id"],
            placement["sales_order_id"],
            order.get("settlement_id") or "",
            *trackings,
            *map(_digits, trackings),
            customer["name"],
            f"{customer['postal_code']} {customer['city']}",
        ),
        "contact": _lines(
            customer["street"], _digits(customer["phone"]), customer.get("email") or ""
        ),
    }
