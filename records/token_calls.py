"""How many calls each token has made, counted by all web processes together."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.dialects import postgresql, sqlite

from records.database import Database
from records.tables import token_calls


class TokenCalls:
    """The counts. A count only grows while its token is in use."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = sqlite.insert if database.is_sqlite else postgresql.insert

    async def add(self, calls: Mapping[str, int], now: datetime) -> dict[str, int]:
        """Add the calls of this process since its last addition. Returns the counts of these tokens after that."""
        # always in the same order, to avoid a deadlock of two transactions
        rows = [{"token_id": each, "calls": calls[each], "at": now} for each in sorted(calls)]
        insert = self._insert(token_calls).values(rows)
        added = insert.on_conflict_do_update(
            index_elements=[token_calls.c.token_id],
            set_={"calls": token_calls.c.calls + insert.excluded.calls, "at": insert.excluded.at},
        ).returning(token_calls.c.token_id, token_calls.c.calls)
        rows_after = await self._database.write(lambda connection: connection.execute(added).all())
        return {row.token_id: row.calls for row in rows_after}

    async def delete_older_than(self, instant: datetime) -> None:
        """Delete the counts of tokens that were not used since."""
        old = delete(token_calls).where(token_calls.c.at < instant)
        await self._database.write(lambda connection: connection.execute(old))
