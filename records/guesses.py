"""Counts guesses at passwords and codes, for all processes together, so that many of them take very long."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from records.database import Database, to_the_end
from records.tables import guesses


class Limit(NamedTuple):
    """After so many free guesses one has to wait; each further one doubles that, from `first` up to `longest`."""

    free: int
    first: timedelta
    longest: timedelta
    forgotten: timedelta
    """After so long without a guess the count begins anew. More than `longest`, or waiting would pay."""

    def wait(self, failures: int) -> timedelta:
        """How long after the guess of that number the next one has to wait."""
        if failures < self.free:
            return timedelta()
        return min(self.first * (1 << min(failures - self.free, 30)), self.longest)


class Guesses:
    """The counts by what is guessed at, or from where. Of that itself only a hash is kept."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = sqlite.insert if database.is_sqlite else postgresql.insert
        row = insert(guesses)
        # An update that changes nothing: it locks the row, and so two guesses at a time count as two.
        self._lock = row.on_conflict_do_update(
            index_elements=[guesses.c.key], set_={"key": row.excluded.key}
        ).returning(guesses.c.failures, guesses.c.last_at, guesses.c.blocked_until)

    @to_the_end
    async def charge(self, limits: Mapping[str, Limit], now: datetime) -> timedelta | None:
        """Count a guess under each name, before it is looked at: guesses at the same time cannot slip through together.

        Returns None if it may be looked at, or how long to wait; a guess that must wait does not count.
        """
        counts: list[tuple[str, int, timedelta]] = []
        longest = timedelta()
        async with self._database.writing() as connection:
            # in one order everywhere, or two transactions could wait for each other
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
                    update(guesses)
                    .where(guesses.c.key == key)
                    .values(failures=failures, last_at=now, blocked_until=now + wait)
                )
        return None

    @to_the_end
    async def refund(self, names: Iterable[str], now: datetime) -> None:
        """It was no wrong guess: take it back under these names."""
        back = (
            update(guesses)
            .where(guesses.c.key.in_(sorted(map(_key, names))), guesses.c.failures > 0)
            .values(failures=guesses.c.failures - 1, blocked_until=now)
        )
        async with self._database.writing() as connection:
            await connection.execute(back)

    @to_the_end
    async def clear(self, name: str) -> None:
        """Forget all guesses under a name: who may was let in."""
        async with self._database.writing() as connection:
            await connection.execute(delete(guesses).where(guesses.c.key == _key(name)))

    async def blocked(self, now: datetime) -> int:
        """Under how many names one has to wait now. Which they are nobody can tell."""
        counted = select(func.count()).select_from(guesses).where(guesses.c.blocked_until > now)
        async with self._database.reading() as connection:
            number: int = (await connection.execute(counted)).scalar_one()
        return number

    @to_the_end
    async def forget(self, before: datetime) -> None:
        """Forget counts without a guess since then."""
        async with self._database.writing() as connection:
            await connection.execute(delete(guesses).where(guesses.c.last_at < before))


def _key(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()
