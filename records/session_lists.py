"""The sessions of one user, to be listed and ended one by one."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, delete, func, select

from records.database import Database, storable
from records.tables import sessions

_ID_LENGTH = 16
_MOST_LISTED = 100


class SessionRow(NamedTuple):
    """A session. `browser` and `network` are None if they are not known."""

    session_id: str
    began_at: datetime
    last_used_at: datetime
    expires_at: datetime
    browser: str | None
    network: str | None


def session_id(secret_hash: str) -> str:
    """The id by which a session is shown and ended: the beginning of its hash, which does not reveal the secret."""
    return secret_hash[:_ID_LENGTH]


_id: ColumnElement[str] = func.substr(sessions.c.secret_hash, 1, _ID_LENGTH)


class SessionLists:
    """The sessions of users."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, user_id: str, now: datetime) -> tuple[SessionRow, ...]:
        """The sessions of a user that have not expired, the last used first, and no more than a page can show."""
        found = (
            select(
                _id,
                sessions.c.created_at,
                sessions.c.last_used_at,
                sessions.c.expires_at,
                sessions.c.browser,
                sessions.c.network,
            )
            .where(sessions.c.user_id == user_id, sessions.c.expires_at > now)
            .order_by(sessions.c.last_used_at.desc(), sessions.c.secret_hash)
            .limit(_MOST_LISTED)
        )
        rows = await self._database.read(lambda connection: connection.execute(found).all())
        return tuple(SessionRow(*row) for row in rows)

    async def end(self, user_id: str, ended: str) -> bool:
        """End a session of this user. False if there is no such one (any more)."""
        if not storable(ended):
            return False
        gone = delete(sessions).where(sessions.c.user_id == user_id, _id == ended)
        return await self._database.write(lambda connection: connection.execute(gone).rowcount > 0)

    async def end_others(self, user_id: str, kept: str) -> int:
        """End all sessions of this user but one. Returns how many ended."""
        gone = delete(sessions).where(sessions.c.user_id == user_id, _id != kept)
        return await self._database.write(lambda connection: connection.execute(gone).rowcount)
