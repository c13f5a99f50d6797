"""Answers already given, so that a call that is repeated with the same `Idempotency-Key` gets the same answer."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from domain.values import Value
from records.database import Database, to_the_end
from records.tables import idempotency


class Answer(Value):
    """What a call was answered, and to which body: `body_hash` is for the caller to compare."""

    body_hash: str
    status: int
    response: Any
    """The body of the answer, as JSON has it; None if there was none."""


class Answers:
    """The answers by login and key. A key of one login is unknown to every other."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = sqlite.insert if database.is_sqlite else postgresql.insert
        self._insert = insert(idempotency).on_conflict_do_nothing()

    async def find(self, login_id: str, key: str) -> Answer | None:
        """The answer that was given; None if the key is new."""
        if "\0" in key:
            return None
        found = select(idempotency.c.body_hash, idempotency.c.status, idempotency.c.response).where(
            idempotency.c.login_id == login_id, idempotency.c.key == key
        )
        row = await self._database.read(lambda c: c.execute(found).one_or_none())
        if row is None:
            return None
        return Answer(body_hash=row.body_hash, status=row.status, response=json.loads(row.response))

    async def keep(
        self, login_id: str, key: str, body_hash: str, status: int, response: Any, now: datetime
    ) -> Answer:
        """Keep an answer, unless one is kept already. Returns the one that is kept, which then is the one to give.

        It is kept as it is: an answer with a secret in it (a new token) is not for here.
        """
        row = {
            "login_id": login_id,
            "key": key,
            "body_hash": body_hash,
            "status": status,
            "response": json.dumps(response, ensure_ascii=True),
            "created_at": now,
        }
        is_new = await self._database.write(lambda c: c.execute(self._insert, row).rowcount == 1)
        kept = None if is_new else await self.find(login_id, key)
        return kept or Answer(body_hash=body_hash, status=status, response=response)

    @to_the_end
    async def forget(self, before: datetime) -> int:
        """Forget answers older than that, so that their keys are new again. Returns how many."""
        old = delete(idempotency).where(idempotency.c.created_at < before)
        async with self._database.writing() as connection:
            return (await connection.execute(old)).rowcount
