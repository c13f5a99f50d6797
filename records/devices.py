"""The browsers that have logged in before, by the hash of the secret in their cookie, each with its logins."""

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from records.database import Database
from records.tables.accounts import devices, users


class Devices:
    """Which browser has logged in to which login. One browser may belong to several people."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = sqlite.insert if database.is_sqlite else postgresql.insert
        row = insert(devices)
        self._remember = row.on_conflict_do_update(
            index_elements=[devices.c.secret_hash, devices.c.user_id],
            set_={"last_used_at": row.excluded.last_used_at},
        )

    async def knows(self, secret_hash: str, email_key: str, since: datetime) -> bool:
        """Whether this browser has logged in to the login with this e-mail, at or after an instant."""
        found = (
            select(devices.c.user_id)
            .join(users, users.c.user_id == devices.c.user_id)
            .where(
                devices.c.secret_hash == secret_hash,
                users.c.email_key == email_key,
                devices.c.last_used_at >= since,
            )
        )
        row = await self._database.read(lambda c: c.execute(found).one_or_none())
        return row is not None

    async def is_ours(self, secret_hash: str, since: datetime) -> bool:
        """Whether this application made the secret: any login has used it, at or after an instant."""
        found = (
            select(devices.c.user_id)
            .where(devices.c.secret_hash == secret_hash, devices.c.last_used_at >= since)
            .limit(1)
        )
        row = await self._database.read(lambda c: c.execute(found).one_or_none())
        return row is not None

    async def remember(self, secret_hash: str, user_id: str, now: datetime) -> None:
        """Note that the browser has logged in to this login."""
        row = {"secret_hash": secret_hash, "user_id": user_id, "last_used_at": now}
        await self._database.write(lambda c: c.execute(self._remember, row))

    async def tidy(self, before: datetime) -> None:
        """Forget the browsers that have not logged in since this instant."""
        old = delete(devices).where(devices.c.last_used_at < before)
        await self._database.write(lambda c: c.execute(old))
