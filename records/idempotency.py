"""Kept answers, so that a call repeated with the same `Idempotency-Key` gets the same answer."""

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from domain.values import Value
from records.database import Database, to_the_end
from records.tables import idempotency


class KeptAnswer(Value):
    """The answer to a call, as the caller encrypted it.

    `body_hash` is compared with that of the repeated call. `about`: what the answer is about, `order/<sp_id>` or
    `settlement/<settlement_id>`; empty: something else.
    """

    body_hash: str
    status: int
    about: str
    answer: bytes


class Answers:
    """The answers by login and key. Each login has its own keys. The caller passes both in the form to be stored."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = sqlite.insert if database.is_sqlite else postgresql.insert
        self._insert = insert(idempotency).on_conflict_do_nothing()

    async def find(self, login_id: str, key: str) -> KeptAnswer | None:
        """The kept answer; None if the key is new."""
        columns = [idempotency.c[name] for name in KeptAnswer.model_fields]
        found = select(*columns).where(
            idempotency.c.login_id == login_id,
            idempotency.c.key == key,
            idempotency.c.answer.is_not(None),
        )
        row = await self._database.read(lambda c: c.execute(found).one_or_none())
        return None if row is None else KeptAnswer.model_validate(row._asdict())

    async def keep(self, login_id: str, key: str, answer: KeptAnswer, now: datetime) -> KeptAnswer:
        """Keep an answer, unless one is kept already. Returns the kept one, with which the caller must respond."""
        row = {
            "login_id": login_id,
            "key": key,
            "response": "null",
            "created_at": now,
            **answer.model_dump(),
        }
        is_new = await self._database.write(lambda c: c.execute(self._insert, row).rowcount == 1)
        kept = None if is_new else await self.find(login_id, key)
        return kept or answer

    @to_the_end
    async def forget(self, before: datetime) -> int:
        """Delete answers kept before this instant, so that their keys are new again. Returns how many."""
        old = delete(idempotency).where(idempotency.c.created_at < before)
        async with self._database.writing() as connection:
            return (await connection.execute(old)).rowcount
