"""Notices of changes to logins, addresses and tokens. Each is stored with its facts until its mail is sent."""

import json
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from domain.values import Language
from records.database import Database
from records.mails import USER
from records.tables import account_notices, users

NoticeKind = Literal[
    "password_changed", "factor_set", "factor_removed", "factor_reset", "email_changed",
    "calendar_made", "tokens_ended", "tokens_end_soon",
]  # fmt: skip
UserNotice = Literal[
    "password_changed", "factor_set", "factor_removed", "factor_reset", "calendar_made"
]
TOKENS = "tokens"
"""The subject (`Notice.about`) of notices to operations."""


class Recipient(NamedTuple):
    """The recipient of a notice. `audience`: `user`, `partner` or `operations`. An empty `name`: the whole team."""

    audience: str
    address: str
    name: str
    language: Language
    staff: bool


class Notice(NamedTuple):
    """A notice whose mail waits. `about`: the id of a user or partner, or `TOKENS`; `facts` depend on the kind."""

    key: str
    kind: NoticeKind
    about: str
    recipient: Recipient
    facts: Mapping[str, Any]
    asked_at: datetime
    next_attempt_at: datetime


def tell(
    connection: Connection,
    kind: NoticeKind,
    about: str,
    recipients: Iterable[Recipient],
    facts: Mapping[str, Any],
    now: datetime,
) -> None:
    """Store a notice to each of these recipients, in the caller's transaction."""
    event = uuid.uuid4().hex[:16]
    for number, recipient in enumerate(recipients, 1):
        connection.execute(
            insert(account_notices).values(
                key=f"{kind}/{about}/{event}/{number}",
                kind=kind,
                about=about,
                audience=recipient.audience,
                recipient=recipient.address,
                name=recipient.name,
                language=recipient.language,
                staff=recipient.staff,
                facts=json.dumps(facts),
                asked_at=now,
                next_attempt_at=now,
            )
        )


def tell_user(connection: Connection, kind: UserNotice, user_id: str, now: datetime) -> None:
    """Store a notice to a user about its login, in the caller's transaction. Without such a user nothing is stored."""
    found = select(users.c.email, users.c.name, users.c.language, users.c.role)
    row = connection.execute(found.where(users.c.user_id == user_id)).one_or_none()
    if row is not None:
        recipient = Recipient(USER, row.email, row.name, row.language, row.role != "partner")
        tell(connection, kind, user_id, [recipient], {"email": row.email}, now)


class AccountNotices:
    """The notices whose mails wait."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def due(self, now: datetime, limit: int) -> tuple[Notice, ...]:
        """Notices whose next attempt is due, in the order in which they were caused."""
        found = (
            select(account_notices)
            .where(account_notices.c.next_attempt_at <= now)
            .order_by(account_notices.c.asked_at, account_notices.c.key)
            .limit(limit)
        )
        rows = await self._database.read(lambda connection: connection.execute(found).all())
        return tuple(
            Notice(
                row.key,
                row.kind,
                row.about,
                Recipient(row.audience, row.recipient, row.name, row.language, row.staff),
                json.loads(row.facts),
                row.asked_at,
                row.next_attempt_at,
            )
            for row in rows
        )

    async def try_next(self, notice: Notice, at: datetime) -> bool:
        """Set when a mail is tried next. False if another process has done so meanwhile."""
        changed = (
            update(account_notices)
            .where(
                account_notices.c.key == notice.key,
                account_notices.c.next_attempt_at == notice.next_attempt_at,
            )
            .values(next_attempt_at=at)
        )
        return await self._database.write(
            lambda connection: connection.execute(changed).rowcount == 1
        )

    async def done(self, notice: Notice) -> None:
        """Delete a notice whose mail is sent or given up."""
        gone = delete(account_notices).where(account_notices.c.key == notice.key)
        await self._database.write(lambda connection: connection.execute(gone))
