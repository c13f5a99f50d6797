"""The data keys of orders, wrapped by a master key, and their erasure (docs/operations.md, "Encryption")."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from contracts.keys import WrappedKey
from records.database import Database
from records.failures import is_away
from records.tables import data_keys

_BATCH = 500


class DataKeysAway(Exception):
    """The key of an order cannot be read or made, since the database is away (`is_away` is true of this error)."""


class DataKeyRecords:
    """The data keys in the database: the `DataKeys` of a `KeyRing`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        upsert = sqlite.insert if database.is_sqlite else postgresql.insert
        self._add = upsert(data_keys).on_conflict_do_nothing()

    async def get(self, workflow_id: str) -> WrappedKey | None:
        """The data key of a workflow, None if it has none yet. Raises `DataKeysAway`."""
        with _reading_key(workflow_id):
            return await self._database.read(lambda connection: _held(connection, workflow_id))

    async def put(self, workflow_id: str, key: WrappedKey) -> WrappedKey:
        """Store a key unless there is one, erased or not. Returns the one that is stored. Raises `DataKeysAway`."""
        row = {
            "workflow_id": workflow_id,
            "key_id": key.key_id,
            "wrapped": key.wrapped,
            "created_at": datetime.now(UTC),
        }

        def put(connection: Connection) -> WrappedKey:
            connection.execute(self._add, row)
            held = _held(connection, workflow_id)
            assert held is not None
            return held

        with _reading_key(workflow_id):
            return await self._database.write(put, first=True)

    async def erase(self, workflow_id: str, at: datetime) -> None:
        """Erase the data key of a workflow for ever: nothing of it in Temporal and backups can be read any more.

        The row stays without a key, so that no late writer makes another one. A workflow without a key gets such a row,
        too.
        """
        row = {
            "workflow_id": workflow_id,
            "key_id": "",
            "wrapped": None,
            "created_at": at,
            "erased_at": at,
        }
        erased = (
            update(data_keys)
            .where(data_keys.c.workflow_id == workflow_id, data_keys.c.erased_at.is_(None))
            .values(wrapped=None, erased_at=at)
        )

        def erase(connection: Connection) -> None:
            connection.execute(self._add, row)
            connection.execute(erased)

        await self._database.write(erase)

    async def rewrap(self, current: str, rewrapped: Callable[[str, WrappedKey], WrappedKey]) -> int:
        """Wrap all keys that another master key wraps with the current one. Returns how many there were.

        It can be stopped and repeated at any time. `rewrapped` gives the new form of a workflow's key.
        """
        count = 0
        while done := await self._database.write(lambda c: _rewrap_some(c, current, rewrapped)):
            count += done
        return count


@contextmanager
def _reading_key(workflow_id: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if not is_away(error):
            raise
        text = f"key of {workflow_id}: the database is away ({type(error).__name__})"
        raise DataKeysAway(text) from error


def _held(connection: Connection, workflow_id: str) -> WrappedKey | None:
    row = connection.execute(
        select(data_keys.c.key_id, data_keys.c.wrapped).where(
            data_keys.c.workflow_id == workflow_id
        )
    ).one_or_none()
    return WrappedKey(row.key_id, row.wrapped) if row is not None else None


def _rewrap_some(
    connection: Connection, current: str, rewrapped: Callable[[str, WrappedKey], WrappedKey]
) -> int:
    rows = connection.execute(
        select(data_keys.c.workflow_id, data_keys.c.key_id, data_keys.c.wrapped)
        .where(data_keys.c.key_id != current, data_keys.c.wrapped.is_not(None))
        .order_by(data_keys.c.workflow_id)
        .limit(_BATCH)
    ).all()
    for workflow_id, key_id, wrapped in rows:
        new = rewrapped(workflow_id, WrappedKey(key_id, wrapped))
        connection.execute(
            update(data_keys)
            .where(data_keys.c.workflow_id == workflow_id, data_keys.c.wrapped.is_not(None))
            .values(key_id=new.key_id, wrapped=new.wrapped)
        )
    return len(rows)
