"""Every mail that was tried, under a key of its own, so that it is sent only once (docs/mail.md, "Once")."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    case,
    func,
    literal,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from domain.values import Value
from records.cursors import Position, decode_cursor, encode_cursor
from records.database import Database
from records.tables import Instant, is_undelivered, mails

MailState = Literal["sending", "sent", "refused", "given_up", "obsolete"]

_LONGEST_ERROR = 1000
_FINAL = ("sent", "given_up")
_TRIED = ("sending", "refused")


class MailRow(Value):
    """What is known of one mail.

    `sending`: tried, and not known to have arrived at the mail server. `refused`: the server does not want it; it is
    tried again for a while. `sent` and `given_up` are final. `obsolete`: it has lost its sense before it was sent, and
    is not tried any more; should it go out all the same, its row says so. Attempt 1 is the first, and only one caller
    ever gets it.
    `about`: the order (SP-ID) or settlement that it is about; such mails are a thread.
    """

    key: str
    about: str
    kind: str
    audience: str
    recipient: str
    message_id: str
    state: MailState
    attempts: int
    first_tried_at: datetime
    sent_at: datetime | None
    last_error: str | None

    @property
    def is_final(self) -> bool:
        """Whether there is nothing left to try: it was sent, or given up."""
        return self.state in _FINAL


class Begun(NamedTuple):
    """A mail whose attempt begins, and the message id of the first mail that its receiver was sent about the same."""

    row: MailRow
    thread: str | None


class StuckMails(NamedTuple):
    """A piece of a list of mails, and the cursor that the next one begins with; None at the end."""

    items: tuple[MailRow, ...]
    next_cursor: str | None


class MailLog:
    """The mails by their key."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = sqlite.insert if database.is_sqlite else postgresql.insert
        final = mails.c.state.in_(_FINAL)
        # One statement: of two workers at a time one makes the row and the other counts on it.
        self._begin = (
            insert(mails)
            .on_conflict_do_update(
                index_elements=[mails.c.key],
                set_={
                    "attempts": case((final, mails.c.attempts), else_=mails.c.attempts + 1),
                    "state": case((final, mails.c.state), else_="sending"),
                },
            )
            .returning(*mails.c)
        )
        self._thread = (
            select(mails.c.message_id)
            .where(
                mails.c.about == bindparam("about"),
                mails.c.recipient == bindparam("recipient"),
                mails.c.state == "sent",
            )
            .order_by(mails.c.sent_at, mails.c.key)
            .limit(1)
        )
        self._sent = (
            update(mails)
            .where(mails.c.key == bindparam("of"), mails.c.state.not_in(_FINAL))
            .values(state="sent", sent_at=bindparam("now"), last_error=None)
        )

    async def begin(
        self,
        key: str,
        about: str,
        kind: str,
        audience: str,
        recipient: str,
        message_id: str,
        now: datetime,
    ) -> Begun:
        """Note that a mail is about to be sent. The answer says how often it was tried, and whether it `is_final`.

        Recipient and message id of an earlier attempt stay. A mail that is final is left as it is. The thread is that
        of the recipient given here.
        """
        row = {
            "key": key,
            "about": about,
            "kind": kind,
            "audience": audience,
            "recipient": recipient,
            "message_id": message_id,
            "state": "sending",
            "attempts": 1,
            "first_tried_at": now,
            "sent_at": None,
            "last_error": None,
        }

        def begin(connection: Connection) -> Begun:
            begun = _mail(connection.execute(self._begin, row).one())
            where = {"about": about, "recipient": recipient}
            return Begun(begun, connection.execute(self._thread, where).scalar_one_or_none())

        return await self._database.write(begin)

    async def sent(self, key: str, now: datetime) -> None:
        """The mail server took it. Until this is noted it may be sent again: it goes before all other writers."""
        await self._database.write(
            lambda connection: connection.execute(self._sent, {"of": key, "now": now}), first=True
        )

    async def failed(self, key: str, error: str, refused: bool) -> None:
        """It could not be handed in; `refused`: the server does not want it. A mail that is final stays so."""
        state = "refused" if refused else "sending"
        await self._update(key, state=state, last_error=error.replace("\0", "")[:_LONGEST_ERROR])

    async def given_up(self, key: str) -> None:
        """It is not tried again."""
        await self._update(key, state="given_up")

    async def obsolete(self, keys: Collection[str]) -> int:
        """These mails, as far as they were not sent, have lost their sense. Returns how many."""
        changed = (
            update(mails)
            .where(mails.c.key.in_(keys), mails.c.state.in_(_TRIED))
            .values(state="obsolete")
        )
        return await self._database.write(lambda connection: connection.execute(changed).rowcount)

    async def finished(self, about: str) -> frozenset[str]:
        """The keys of the mails about this of which nothing is left to do: sent, or given up."""
        found = select(mails.c.key).where(mails.c.about == about, mails.c.state.in_(_FINAL))
        async with self._database.reading() as connection:
            return frozenset((await connection.execute(found)).scalars())

    async def undelivered(self, limit: int = 500) -> tuple[MailRow, ...]:
        """Mails that were not sent (yet) and still should be, or were given up; the oldest first."""
        found = (
            select(mails).where(_missing).order_by(mails.c.first_tried_at, mails.c.key).limit(limit)
        )
        async with self._database.reading() as connection:
            return tuple(_mail(row) for row in await connection.execute(found))

    async def tried(
        self, until: datetime, after: MailRow | None, limit: int
    ) -> tuple[MailRow, ...]:
        """Mails that are tried since `until` or before and not sent, the oldest first, those after one."""
        found = (
            select(mails)
            .where(is_undelivered, mails.c.state.in_(_TRIED), mails.c.first_tried_at <= until)
            .order_by(mails.c.first_tried_at, mails.c.key)
            .limit(limit)
        )
        if after is not None:
            place = tuple_(literal(after.first_tried_at, Instant), literal(after.key))
            found = found.where(tuple_(mails.c.first_tried_at, mails.c.key) > place)
        async with self._database.reading() as connection:
            return tuple(_mail(row) for row in await connection.execute(found))

    async def stuck(
        self, since: datetime, until: datetime, limit: int, cursor: str | None = None
    ) -> StuckMails:
        """Mails first tried from `since` on that were given up, or are tried since `until` or before. Newest first.

        Raises:
            ValueError: a cursor that no page gave.
        """
        found = select(mails).where(_stuck(since, until))
        if cursor is not None:
            _, at, key = decode_cursor(cursor, ["stuck"])
            place = tuple_(literal(at, Instant), literal(key))
            found = found.where(tuple_(mails.c.first_tried_at, mails.c.key) < place)
        found = found.order_by(mails.c.first_tried_at.desc(), mails.c.key.desc()).limit(limit + 1)
        async with self._database.reading() as connection:
            rows = (await connection.execute(found)).all()
        last = rows[limit - 1] if len(rows) > limit else None
        return StuckMails(
            tuple(_mail(row) for row in rows[:limit]),
            encode_cursor(Position("stuck", last.first_tried_at, last.key)) if last else None,
        )

    async def count_stuck(self, since: datetime, until: datetime) -> int:
        """How many these are."""
        counted = select(func.count()).select_from(mails).where(_stuck(since, until))
        async with self._database.reading() as connection:
            number: int = (await connection.execute(counted)).scalar_one()
        return number

    async def _update(self, key: str, **changes: Any) -> None:
        changed = (
            update(mails).where(mails.c.key == key, mails.c.state.not_in(_FINAL)).values(**changes)
        )
        await self._database.write(lambda connection: connection.execute(changed))


# The first condition is that of the index, word for word.
_missing = and_(is_undelivered, mails.c.state != "obsolete")


def _stuck(since: datetime, until: datetime) -> ColumnElement[bool]:
    return and_(
        _missing,
        mails.c.first_tried_at >= since,
        or_(mails.c.state == "given_up", mails.c.first_tried_at <= until),
    )


def _mail(row: Any) -> MailRow:
    return MailRow.model_validate(row._asdict())
