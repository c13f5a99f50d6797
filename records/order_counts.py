"""How many orders are in each state, on PostgreSQL without reading the orders.

A trigger of `orders` notes each change of state, partner or visibility as a row of +1 or -1 in the same transaction, so
that writers never wait for each other. The sum of the rows is exact at any moment; `fold` keeps their number small.
"""

from sqlalchemy import Connection, Select, func, select, text

from records.database import Database
from records.tables import order_count_changes

_AT_ONCE = 20_000
_FOLD = text(
    "WITH gone AS (DELETE FROM order_count_changes WHERE change_id IN ("
    "  SELECT change_id FROM order_count_changes ORDER BY change_id LIMIT :most FOR UPDATE SKIP LOCKED"
    ") RETURNING partner_id, visible, status, change), "
    "sums AS (SELECT partner_id, visible, status, sum(change) AS change FROM gone GROUP BY 1, 2, 3) "
    "INSERT INTO order_count_changes (partner_id, visible, status, change)"
    " SELECT partner_id, visible, status, change FROM sums WHERE change <> 0"
)


def counted(partner_id: str | None, *, only_visible: bool) -> Select[str, int]:
    """The query for the number of orders in each state, of all partners or of one."""
    number = func.sum(order_count_changes.c.change)
    found = (
        select(order_count_changes.c.status, number)
        .group_by(order_count_changes.c.status)
        .having(number != 0)
    )
    if partner_id is not None:
        found = found.where(order_count_changes.c.partner_id == partner_id)
    return found.where(order_count_changes.c.visible) if only_visible else found


class OrderCounts:
    """Keeps the number of rows small."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def fold(self) -> None:
        """Replace rows by their sums. Any process may do it at any time."""
        if not self._database.is_sqlite:
            await self._database.write(_fold)


def _fold(connection: Connection) -> None:
    connection.execute(_FOLD, {"most": _AT_ONCE})
