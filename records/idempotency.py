"""Stored answers, so that a call repeated with the same `Idempotency-Key` gets the same answer."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from domain.values import Value
from records.database import Database, to_the_end
from records.tables import idempotency


class Answer(Value):
    """The answer to a call. The caller compares `body_hash` with the hash of the repeated call's body."""

    body_hash: str
    status: int
    response: Any
    """The body of the answer as decoded JSON; None if there was none."""


class Answers:
    """The answers by login and key. Each login has its own keys."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = sqlite.insert if database.is_sqlite else postgresql.insert
        self._insert = insert(idempotency).on_conflict_do_nothing()

    async def find(self, login_id: str, key: str) -> Answer | None:
        """The stored answer; None if the key is new."""
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
        """Store an answer, unless one is stored already. Returns the stored one, with which the caller must respond.

        It is stored in plain text, so an answer that contains a secret (a new token) must not be stored.
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
        """Delete answers stored before this instant, so that their keys are new again. Returns how many."""
        old = delete(idempotency).where(idempotency.c.created_at < before)
        async with self._database.writing() as connection:
            return (await connection.execute(old)).rowcount
