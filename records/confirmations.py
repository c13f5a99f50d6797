"""When the person of a session last gave password and code."""

from datetime import datetime

from sqlalchemy import Connection, select, update

from records.database import Database
from records.tables import sessions, users


class Confirmations:
    """The confirmations of sessions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, secret_hash: str, user_id: str, now: datetime, *, with_code: bool) -> bool:
        """Store that password and code were right in this session of the user, if it still exists.

        `with_code`: there was a second factor, and a code of it was right. False, and nothing is stored, if there was
        none and the user has one now.
        """
        # The set-up of a factor holds this row too: it takes the confirmation away, or is seen here.
        held = select(users.c.totp_confirmed).where(users.c.user_id == user_id).with_for_update()
        confirmed = (
            update(sessions)
            .where(sessions.c.secret_hash == secret_hash, sessions.c.user_id == user_id)
            .values(confirmed_at=now)
        )

        def add(connection: Connection) -> bool:
            if connection.execute(held).scalar_one_or_none() and not with_code:
                return False
            connection.execute(confirmed)
            return True

        return await self._database.write(add)
