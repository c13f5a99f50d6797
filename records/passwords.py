"""The passwords of users. Only argon2 hashes are stored."""

from datetime import datetime

from sqlalchemy import Connection, delete, select, update

from records.account_notices import tell_user
from records.database import Database
from records.links import MAILED
from records.tables import links, sessions, users


class PasswordRecords:
    """The password hashes of users. A user whose password changes is told by mail in the same transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def rehash(self, user_id: str, former: str, password_hash: str) -> None:
        """Store a newer hash of the same password, unless the password was changed meanwhile."""
        changed = (
            update(users)
            .where(users.c.user_id == user_id, users.c.password_hash == former)
            .values(password_hash=password_hash)
        )
        await self._database.write(lambda connection: connection.execute(changed))

    async def set(
        self, user_id: str, password_hash: str, now: datetime, *, former: str | None = None
    ) -> bool:
        """Set a password. Sessions end, and mailed links no longer work.

        `former`: the hash of the password that it replaces. False, and nothing changes, if that was replaced meanwhile.
        """
        held = select(users.c.password_hash).where(users.c.user_id == user_id).with_for_update()

        def set_password(connection: Connection) -> bool:
            if former not in (None, connection.execute(held).scalar_one_or_none()):
                return False
            _set_password(connection, user_id, password_hash, now)
            return True

        return await self._database.write(set_password)

    async def use_link(self, secret_hash: str, password_hash: str, now: datetime) -> str | None:
        """Use a mailed link to set the password. Returns the user's id, or None if the link is not valid."""
        used = (
            delete(links)
            .where(
                links.c.secret_hash == secret_hash,
                links.c.expires_at > now,
                links.c.purpose.in_(MAILED),
            )
            .returning(links.c.user_id)
        )

        def use(connection: Connection) -> str | None:
            user_id: str | None = connection.execute(used).scalar_one_or_none()
            if user_id is not None:
                _set_password(connection, user_id, password_hash, now)
            return user_id

        return await self._database.write(use)


def _set_password(connection: Connection, user_id: str, password_hash: str, now: datetime) -> None:
    user = users.c.user_id == user_id
    former = connection.execute(select(users.c.password_hash).where(user)).scalar_one_or_none()
    connection.execute(update(users).where(user).values(password_hash=password_hash))
    connection.execute(delete(sessions).where(sessions.c.user_id == user_id))
    connection.execute(delete(links).where(links.c.user_id == user_id))
    if former is not None:  # a first password is not a change
        tell_user(connection, "password_changed", user_id, now)
