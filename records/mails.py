"""The outbox's rows. Each mail has its own key, so that it is sent only once (docs/mail.md, "Once")."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Update,
    and_,
    bindparam,
    case,
    func,
    insert,
    literal,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from domain.orders.erasure import ERASED
from domain.values import Value
from records.cursors import Position, decode_cursor, encode_cursor
from records.database import Database
from records.erased_rows import is_erased_by_now
from records.tables import Instant, is_undelivered, mails

MailState = Literal["sending", "sent", "refused", "given_up", "obsolete"]
MailedPurpose = Literal["invitation", "reset"]

_LONGEST_ERROR = 1000
_FINAL = ("sent", "given_up")
is_tried = mails.c.state.in_(("sending", "refused"))
USER = "user"
"""The audience of mails about a login."""


class MailRow(Value):
    """The state of one mail.

    `sending`: an attempt is running or pending. `refused`: the mail server refused it; it is retried for a while.
    `sent` and `given_up` are final. `obsolete`: it was not sent and no longer has to be; if a running attempt sends it
    after all, the row becomes `sent`. Attempt 1 is the first, and only one caller ever gets it.
    `about`: the order (SP-ID), settlement or user that it is about; these mails form a thread.
    `next_attempt_at`: when the web process tries it again; None for mails of workflows, and if no retry is pending.
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
    next_attempt_at: datetime | None = None

    @property
    def is_final(self) -> bool:
        """Whether it was sent or given up."""
        return self.state in _FINAL


class Begun(NamedTuple):
    """A mail whose attempt begins, and the message id of the first mail in its thread to the same recipient."""

    row: MailRow
    thread: str | None


class StuckMails(NamedTuple):
    """A page of mails, the cursor of the next page (None at the end), and how many mails the whole list has.

    `total` comes with the page from one statement, so that both agree; it is 0 if the page is empty.
    """

    items: tuple[MailRow, ...]
    next_cursor: str | None
    total: int


class PendingMail(NamedTuple):
    """A mail to a user that waits for its next attempt: from `next_attempt_at` on any process may claim it.

    If `next_attempt_at` is None, only the process that added the row tries it.
    """

    key: str
    user_id: str
    kind: MailedPurpose
    recipient: str
    message_id: str
    asked_at: datetime
    next_attempt_at: datetime | None
    attempts: int = 0


def add_pending(connection: Connection, mail: PendingMail) -> None:
    """Add a pending mail, in the caller's transaction."""
    connection.execute(
        insert(mails).values(
            key=mail.key,
            about=mail.user_id,
            kind=mail.kind,
            audience=USER,
            recipient=mail.recipient,
            message_id=mail.message_id,
            state="sending",
            attempts=mail.attempts,
            first_tried_at=mail.asked_at,
            next_attempt_at=mail.next_attempt_at,
        )
    )


def make_obsolete(connection: Connection, mail: PendingMail) -> bool:
    """Mark a pending mail as obsolete. False if another process has claimed it meanwhile, or it is sent."""
    changed = (
        update(mails)
        .where(
            mails.c.key == mail.key,
            mails.c.next_attempt_at == mail.next_attempt_at,
            is_tried,
        )
        .values(state="obsolete", next_attempt_at=None)
    )
    return connection.execute(changed).rowcount == 1


class MailLog:
    """The mails by their key."""

    def __init__(self, database: Database) -> None:
        self._database = database
        upsert = sqlite.insert if database.is_sqlite else postgresql.insert
        final = mails.c.state.in_(_FINAL)
        # One statement: if two workers run it at once, one inserts the row and the other increments its attempts.
        self._begin = (
            upsert(mails)
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
            .values(state="sent", sent_at=bindparam("now"), last_error=None, next_attempt_at=None)
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
        """Record that an attempt begins. The returned row has the number of attempts, and whether the mail `is_final`.

        The recipient and message id of an earlier attempt are kept. A mail that is final is not changed. The thread is
        the one of the recipient given here. The address of a customer whose data are erased meanwhile is not stored.
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
            erased = audience == "customer" and is_erased_by_now(connection, about)
            kept = row | ({"recipient": ERASED} if erased else {})
            begun = _mail(connection.execute(self._begin, kept).one())
            where = {"about": about, "recipient": recipient}
            return Begun(begun, connection.execute(self._thread, where).scalar_one_or_none())

        return await self._database.write(begin)

    async def sent(self, key: str, now: datetime) -> None:
        """Mark a mail as sent. This goes before other writers, because until then the mail may be sent again."""
        await self._database.write(
            lambda connection: connection.execute(self._sent, {"of": key, "now": now}), first=True
        )

    async def failed(self, key: str, error: str, refused: bool) -> None:
        """Record why an attempt failed; `refused`: the server refused the mail. A mail that is final is not changed."""
        state = "refused" if refused else "sending"
        text = error.replace("\0", "")[:_LONGEST_ERROR]
        of = select(mails.c.about).where(mails.c.key == key)

        def failed(connection: Connection) -> None:
            about = connection.execute(of).scalar_one_or_none() or ""
            kept = None if is_erased_by_now(connection, about) else text  # it may name the customer
            connection.execute(_unless_final(key).values(state=state, last_error=kept))

        await self._database.write(failed)

    async def given_up(self, key: str) -> None:
        """Mark a mail as given up, unless it is sent."""
        await self._update(key, state="given_up", next_attempt_at=None)

    async def try_again(self, key: str, at: datetime) -> None:
        """Set when a mail that is still pending is tried again."""
        changed = (
            update(mails)
            .where(mails.c.key == key, mails.c.next_attempt_at.is_not(None))
            .values(next_attempt_at=at)
        )
        await self._database.write(lambda connection: connection.execute(changed))

    async def due(self, now: datetime, limit: int) -> tuple[PendingMail, ...]:
        """Pending mails whose next attempt is due, the most overdue first."""
        found = (
            select(
                mails.c.key,
                mails.c.about,
                mails.c.kind,
                mails.c.recipient,
                mails.c.message_id,
                mails.c.first_tried_at,
                mails.c.next_attempt_at,
                mails.c.attempts,
            )
            .where(mails.c.next_attempt_at <= now)
            .order_by(mails.c.next_attempt_at, mails.c.key)
            .limit(limit)
        )
        rows = await self._database.read(lambda connection: connection.execute(found).all())
        return tuple(PendingMail(*row) for row in rows)

    async def obsolete(self, keys: Collection[str]) -> int:
        """Mark these mails as obsolete, except for those that are sent. Returns how many were marked."""
        changed = (
            update(mails)
            .where(mails.c.key.in_(keys), is_tried)
            .values(state="obsolete", next_attempt_at=None)
        )
        return await self._database.write(lambda connection: connection.execute(changed).rowcount)

    async def finished(self, about: str) -> frozenset[str]:
        """The keys of the mails about this order, settlement or user that were sent or given up."""
        found = select(mails.c.key).where(mails.c.about == about, mails.c.state.in_(_FINAL))
        async with self._database.reading() as connection:
            return frozenset((await connection.execute(found)).scalars())

    async def undelivered(self, limit: int = 500) -> tuple[MailRow, ...]:
        """Mails of workflows that are still to be sent, or were given up; the oldest first."""
        found = (
            select(mails).where(missing).order_by(mails.c.first_tried_at, mails.c.key).limit(limit)
        )
        async with self._database.reading() as connection:
            return tuple(_mail(row) for row in await connection.execute(found))

    async def tried(
        self, until: datetime, after: MailRow | None, limit: int
    ) -> tuple[MailRow, ...]:
        """Unsent mails of workflows that were first tried at `until` or earlier, the oldest first, after `after`."""
        found = (
            select(mails)
            .where(missing, is_tried, mails.c.first_tried_at <= until)
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
        """Unsent mails of workflows that were given up, or were first tried at `until` or earlier; the newest first.

        Mails that were first tried before `since` are left out.

        Raises:
            ValueError: it is not a cursor of this list.
        """
        listed = is_stuck(since, until)
        total = select(func.count()).select_from(mails).where(listed).scalar_subquery()
        found = select(*mails.c, total.label("total")).where(listed)
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
            rows[0].total if rows else 0,
        )

    async def _update(self, key: str, **changes: Any) -> None:
        changed = _unless_final(key).values(**changes)
        await self._database.write(lambda connection: connection.execute(changed))


# Its first condition is that of the index. Unsent mails to users are shown on the page of the user.
missing = and_(is_undelivered, mails.c.state != "obsolete", mails.c.audience != USER)


def is_stuck(since: datetime, until: datetime) -> ColumnElement[bool]:
    """Whether `MailLog.stuck` lists a mail."""
    return and_(
        missing,
        mails.c.first_tried_at >= since,
        or_(mails.c.state == "given_up", mails.c.first_tried_at <= until),
    )


def _unless_final(key: str) -> Update:
    return update(mails).where(mails.c.key == key, mails.c.state.not_in(_FINAL))


def _mail(row: Any) -> MailRow:
    return MailRow.model_validate({name: getattr(row, name) for name in MailRow.model_fields})
