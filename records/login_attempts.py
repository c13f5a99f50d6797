"""Counts attempts to guess passwords and codes, for all processes together, so that many attempts become very slow."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from records.database import Database, to_the_end
from records.tables import login_attempts


class Limit(NamedTuple):
    """After `free` attempts each one requires a wait, which doubles each time, from `first` up to `longest`."""

    free: int
    first: timedelta
    longest: timedelta
    forgotten: timedelta
    """After this time without an attempt the count restarts at zero. It must be longer than `longest`."""

    def wait(self, failures: int) -> timedelta:
        """How long to wait after the attempt with this number."""
        if failures < self.free:
            return timedelta()
        return min(self.first * (1 << min(failures - self.free, 30)), self.longest)


class LoginAttempts:
    """The counts, by account and by address. The names are stored as hashes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = sqlite.insert if database.is_sqlite else postgresql.insert
        row = insert(login_attempts)
        # This update changes nothing: it locks the row, so that two simultaneous attempts count as two.
        self._lock = row.on_conflict_do_update(
            index_elements=[login_attempts.c.key], set_={"key": row.excluded.key}
        ).returning(
            login_attempts.c.failures, login_attempts.c.last_at, login_attempts.c.blocked_until
        )

    @to_the_end
    async def charge(self, limits: Mapping[str, Limit], now: datetime) -> timedelta | None:
        """Count an attempt under each name. Called before the check, so that simultaneous attempts are counted, too.

        Returns None if the attempt may be checked, or how long to wait. An attempt that must wait is not counted.
        """
        counts: list[tuple[str, int, timedelta]] = []
        longest = timedelta()
        async with self._database.writing() as connection:
            # always in the same order, to avoid a deadlock of two transactions
            for key, limit in sorted((_key(name), limit) for name, limit in limits.items()):
                fresh = {"key": key, "failures": 0, "last_at": now, "blocked_until": now}
                row = (await connection.execute(self._lock, fresh)).one()
                failures = 0 if now - row.last_at > limit.forgotten else row.failures
                longest = max(longest, row.blocked_until - now)
                counts.append((key, failures + 1, limit.wait(failures + 1)))
            if longest > timedelta():
                return longest
            for key, failures, wait in counts:
                await connection.execute(
                    update(login_attempts)
                    .where(login_attempts.c.key == key)
                    .values(failures=failures, last_at=now, blocked_until=now + wait)
                )
        return None

    @to_the_end
    async def refund(self, names: Iterable[str], now: datetime) -> None:
        """Subtract one attempt from the count of each name, because it was not a wrong one."""
        back = (
            update(login_attempts)
            .where(
                login_attempts.c.key.in_(sorted(map(_key, names))), login_attempts.c.failures > 0
            )
            .values(failures=login_attempts.c.failures - 1, blocked_until=now)
        )
        async with self._database.writing() as connection:
            await connection.execute(back)

    @to_the_end
    async def clear(self, name: str) -> None:
        """Delete the count of a name: its user has logged in."""
        async with self._database.writing() as connection:
            await connection.execute(
                delete(login_attempts).where(login_attempts.c.key == _key(name))
            )

    async def blocked(self, now: datetime) -> int:
        """How many names have to wait now. The hashes do not reveal which ones."""
        counted = (
            select(func.count())
            .select_from(login_attempts)
            .where(login_attempts.c.blocked_until > now)
        )
        async with self._database.reading() as connection:
            number: int = (await connection.execute(counted)).scalar_one()
        return number

    @to_the_end
    async def forget(self, before: datetime) -> None:
        """Delete the counts whose last attempt was before this instant."""
        async with self._database.writing() as connection:
            await connection.execute(
                delete(login_attempts).where(login_attempts.c.last_at < before)
            )


def _key(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()
