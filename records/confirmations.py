"""When the person of a session last gave password and code."""

from datetime import datetime

from sqlalchemy import update

from records.database import Database
from records.tables import sessions


class Confirmations:
    """The confirmations of sessions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, secret_hash: str, now: datetime) -> None:
        """Store that password and code were right in this session, if it still exists."""
        confirmed = update(sessions).where(sessions.c.secret_hash == secret_hash)
        await self._database.write(lambda c: c.execute(confirmed.values(confirmed_at=now)))
