"""Second factors of users: the secret of the codes, which codes were used, and recovery codes."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, Delete, delete, insert, update

from records.account_notices import tell_user
from records.database import Database, to_the_end
from records.tables import links, recovery_codes, sessions, users


class SecondFactors:
    """The second factors of users. Secrets are stored encrypted, recovery codes as hashes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @to_the_end
    async def enrol(self, user_id: str, totp_secret: str) -> bool:
        """Store an unconfirmed secret. False if the user has a confirmed one, or does not exist."""
        changed = (
            update(users)
            .where(users.c.user_id == user_id, users.c.totp_confirmed.is_(False))
            .values(totp_secret=totp_secret, totp_last_step=None)
        )
        async with self._database.writing() as connection:
            return (await connection.execute(changed)).rowcount == 1

    @to_the_end
    async def confirm(
        self,
        user_id: str,
        enrolled_secret: str,
        totp_secret: str,
        step: int,
        code_hashes: Iterable[str],
        now: datetime,
        session_hash: str,
    ) -> bool:
        """Confirm the enrolled secret, store it as `totp_secret` and recovery codes with it, and tell the user.

        All sessions of the user but the given one need a new confirmation before a sensitive change. False if another
        secret was enrolled meanwhile.
        """
        changed = (
            update(users)
            .where(
                users.c.user_id == user_id,
                users.c.totp_secret == enrolled_secret,
                users.c.totp_confirmed.is_(False),
            )
            .values(totp_secret=totp_secret, totp_confirmed=True, totp_last_step=step)
        )
        # Only a password has confirmed them, which somebody else may know.
        unconfirmed = (
            update(sessions)
            .where(sessions.c.user_id == user_id, sessions.c.secret_hash != session_hash)
            .values(confirmed_at=None)
        )
        rows = [{"user_id": user_id, "code_hash": each} for each in code_hashes]
        async with self._database.writing() as connection:
            if (await connection.execute(changed)).rowcount == 0:
                return False
            await connection.execute(
                delete(recovery_codes).where(recovery_codes.c.user_id == user_id)
            )
            await connection.execute(insert(recovery_codes), rows)
            await connection.execute(unconfirmed)
            await connection.run_sync(tell_user, "factor_set", user_id, now)
        return True

    @to_the_end
    async def take_step(self, user_id: str, step: int) -> bool:
        """Mark the code of a time step as used. False if it or a later one is used already."""
        newer = users.c.totp_last_step.is_(None) | (users.c.totp_last_step < step)
        changed = update(users).where(users.c.user_id == user_id, newer).values(totp_last_step=step)
        async with self._database.writing() as connection:
            return (await connection.execute(changed)).rowcount == 1

    @to_the_end
    async def take_recovery_code(self, user_id: str, code_hash: str) -> bool:
        """Use up a recovery code. False if the user does not have this code, or has used it."""
        taken = delete(recovery_codes).where(
            recovery_codes.c.user_id == user_id, recovery_codes.c.code_hash == code_hash
        )
        async with self._database.writing() as connection:
            return (await connection.execute(taken)).rowcount == 1

    @to_the_end
    async def remove(self, user_id: str, now: datetime) -> None:
        """Remove a user's second factor and its recovery codes. The user is told if it was in force."""
        mine = users.c.user_id == user_id
        in_force = update(users).where(mine, users.c.totp_confirmed).values(_NONE)
        async with self._database.writing() as connection:
            if (await connection.execute(in_force)).rowcount == 1:
                await connection.run_sync(tell_user, "factor_removed", user_id, now)
            await connection.execute(update(users).where(mine).values(_NONE))
            await connection.execute(_codes_of(user_id))

    async def reset(self, user_id: str, now: datetime) -> bool:
        """Remove a user's confirmed second factor, end its sessions, and tell the user.

        False if there is no confirmed one.
        """
        changed = (
            update(users)
            .where(users.c.user_id == user_id, users.c.totp_confirmed)
            .values(_NONE | {"factor_reset_at": now})
        )

        def reset(connection: Connection) -> bool:
            if connection.execute(changed).rowcount == 0:
                return False
            tell_user(connection, "factor_reset", user_id, now)
            connection.execute(_codes_of(user_id))
            connection.execute(delete(sessions).where(sessions.c.user_id == user_id))
            # A ticket proves that the password was right. Without a second factor it would now be a login.
            connection.execute(
                delete(links).where(links.c.user_id == user_id, links.c.purpose == "second_factor")
            )
            return True

        return await self._database.write(reset)


_NONE = {"totp_secret": None, "totp_confirmed": False, "totp_last_step": None}


def _codes_of(user_id: str) -> Delete:
    return delete(recovery_codes).where(recovery_codes.c.user_id == user_id)
