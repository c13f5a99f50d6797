"""Users with their sessions and links. Secrets come in here as hashes only."""

from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import and_, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from domain.values import Language, Value
from records.database import Database, storable, to_the_end
from records.second_factors import SecondFactors
from records.tables import links, sessions, users

UserRole = Literal["partner", "operations", "accounting"]
Invitation = Literal["accepted", "sent", "waiting", "failed", "expired"]
MailedPurpose = Literal["invitation", "reset"]
Purpose = Literal["invitation", "reset", "second_factor"]

_MOST_LISTED = 100
_MAILED: tuple[MailedPurpose, ...] = ("invitation", "reset")


class User(Value):
    """Somebody with a password. Partners' users belong to a partner, those of operations and accounting to none."""

    user_id: str
    role: UserRole
    partner_id: str | None
    email: str
    name: str
    language: Language
    invitation: Invitation
    """`waiting`: its mail has not gone out yet and is tried again; `failed`: the mail server does not want it."""
    second_factor: bool
    created_at: datetime
    last_login_at: datetime | None


class Credentials(NamedTuple):
    """What a user proves its identity with. No password: the invitation was not accepted yet."""

    user: User
    password_hash: str | None
    totp_secret: str | None
    totp_confirmed: bool
    totp_last_step: int | None


class Link(NamedTuple):
    """Something that works once, for one user."""

    user_id: str
    purpose: Purpose
    expires_at: datetime


class DueMail(NamedTuple):
    """A link's mail that should be sent by now. Whoever claims it sends it."""

    user_id: str
    purpose: MailedPurpose
    asked_at: datetime
    retry_at: datetime
    attempts: int


class LiveSession(NamedTuple):
    """A session and its user."""

    user: User
    last_used_at: datetime
    expires_at: datetime


def email_key(email: str) -> str:
    """What two spellings of an e-mail address have in common."""
    return email.strip().casefold()


class AccountRecords:
    """Users, their sessions and links."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.second_factors = SecondFactors(database)
        upsert = sqlite.insert if database.is_sqlite else postgresql.insert
        self._add_user = upsert(users).on_conflict_do_nothing(index_elements=[users.c.email_key])
        row = upsert(links)
        of = (links.c.user_id, links.c.purpose)
        self._put_link = row.on_conflict_do_update(
            index_elements=of, set_={c.name: row.excluded[c.name] for c in links.c if c not in of}
        )

    # --- users ---------------------------------------------------------------------------------------------------

    @to_the_end
    async def add_user(
        self,
        user_id: str,
        role: UserRole,
        partner_id: str | None,
        email: str,
        name: str,
        language: Language,
        now: datetime,
    ) -> bool:
        """Add a user without a password. False if the address is another user's."""
        row = {
            "user_id": user_id,
            "role": role,
            "partner_id": partner_id,
            "email": email,
            "email_key": email_key(email),
            "name": name,
            "language": language,
            "totp_confirmed": False,
            "created_at": now,
        }
        async with self._database.writing() as connection:
            return (await connection.execute(self._add_user, row)).rowcount == 1

    async def users(self, partner_id: str | None, now: datetime) -> tuple[User, ...]:
        """The users of a partner, or (None) those of the retailer, in the order they were added."""
        found = _user_query.where(
            users.c.partner_id.is_(None) if partner_id is None else users.c.partner_id == partner_id
        ).order_by(users.c.created_at, users.c.user_id)
        async with self._database.reading() as connection:
            return tuple(_user(row, now) for row in await connection.execute(found))

    async def not_invited(self, until: datetime, now: datetime) -> tuple[User, ...]:
        """Users whose invitation did not get out: refused by the mail server, or tried since `until` or before."""
        found = (
            _user_query.where(
                users.c.password_hash.is_(None),
                links.c.sent_at.is_(None),
                links.c.expires_at > now,
                links.c.retry_at.is_(None) | (links.c.asked_at <= until),
            )
            .order_by(links.c.asked_at, users.c.user_id)
            .limit(_MOST_LISTED)
        )
        async with self._database.reading() as connection:
            return tuple(_user(row, now) for row in await connection.execute(found))

    async def by_email(self, email: str, now: datetime) -> Credentials | None:
        """The user with this address."""
        return await self._credentials(users.c.email_key == email_key(email), now, email)

    async def by_id(self, user_id: str, now: datetime) -> Credentials | None:
        """The user with this id."""
        return await self._credentials(users.c.user_id == user_id, now, user_id)

    async def _credentials(self, which: Any, now: datetime, text: str) -> Credentials | None:
        if not storable(text):
            return None
        async with self._database.reading() as connection:
            row = (await connection.execute(_user_query.where(which))).one_or_none()
        if row is None:
            return None
        return Credentials(
            user=_user(row, now),
            password_hash=row.password_hash,
            totp_secret=row.totp_secret,
            totp_confirmed=row.totp_confirmed,
            totp_last_step=row.totp_last_step,
        )

    @to_the_end
    async def remove_user(self, user_id: str) -> None:
        """Remove a user with its sessions and links."""
        async with self._database.writing() as connection:
            await connection.execute(delete(users).where(users.c.user_id == user_id))

    async def set_language(self, user_id: str, language: Language) -> None:
        """The user reads another language from now on."""
        await self._update_user(user_id, language=language)

    @to_the_end
    async def rehash(self, user_id: str, former: str, password_hash: str) -> None:
        """The same password, hashed as one does it today. Nothing happens if it was changed meanwhile."""
        changed = (
            update(users)
            .where(users.c.user_id == user_id, users.c.password_hash == former)
            .values(password_hash=password_hash)
        )
        async with self._database.writing() as connection:
            await connection.execute(changed)

    @to_the_end
    async def set_password(self, user_id: str, password_hash: str) -> None:
        """Another password: sessions end, and links that were mailed no longer work."""
        async with self._database.writing() as connection:
            await _set_password(connection, user_id, password_hash)

    @to_the_end
    async def _update_user(self, user_id: str, **changes: Any) -> None:
        changed = update(users).where(users.c.user_id == user_id).values(**changes)
        async with self._database.writing() as connection:
            await connection.execute(changed)

    # --- links ---------------------------------------------------------------------------------------------------

    @to_the_end
    async def put_link(
        self,
        user_id: str,
        purpose: Purpose,
        secret_hash: str,
        now: datetime,
        expires_at: datetime,
        retry_at: datetime | None = None,
    ) -> bool:
        """Keep a link; the user's former one of this purpose no longer works. False if the user is gone.

        `retry_at`: from when its mail counts as not sent, unless `link_sent` says otherwise by then.
        """
        row = {
            "user_id": user_id,
            "purpose": purpose,
            "secret_hash": secret_hash,
            "asked_at": now,
            "expires_at": expires_at,
            "sent_at": None,
            "retry_at": retry_at,
            "attempts": 1,
        }
        there = select(users.c.user_id).where(users.c.user_id == user_id).with_for_update()
        async with self._database.writing() as connection:
            if (await connection.execute(there)).one_or_none() is None:
                return False
            await connection.execute(self._put_link, row)
        return True

    async def find_link(self, secret_hash: str, now: datetime) -> Link | None:
        """The link with this secret, if it works. It is not used by that."""
        found = select(links.c.user_id, links.c.purpose, links.c.expires_at).where(
            links.c.secret_hash == secret_hash, links.c.expires_at > now
        )
        async with self._database.reading() as connection:
            row = (await connection.execute(found)).one_or_none()
        return None if row is None else Link(*row)

    @to_the_end
    async def use_link(self, secret_hash: str, password_hash: str, now: datetime) -> str | None:
        """Use a mailed link to set the password. Returns whose; None if it does not work (any more)."""
        used = (
            delete(links)
            .where(
                links.c.secret_hash == secret_hash,
                links.c.expires_at > now,
                links.c.purpose.in_(_MAILED),
            )
            .returning(links.c.user_id)
        )
        async with self._database.writing() as connection:
            user_id = (await connection.execute(used)).scalar_one_or_none()
            if user_id is None:
                return None
            await _set_password(connection, user_id, password_hash)
        return str(user_id)

    async def link_sent(self, secret_hash: str, now: datetime) -> None:
        """The mail server took the link's mail."""
        await self._update_link(secret_hash, sent_at=now, retry_at=None)

    async def link_failed(self, secret_hash: str, retry_at: datetime | None) -> None:
        """It could not be sent; it is due again then, or given up."""
        await self._update_link(secret_hash, retry_at=retry_at)

    @to_the_end
    async def _update_link(self, secret_hash: str, **changes: Any) -> None:
        changed = update(links).where(links.c.secret_hash == secret_hash).values(**changes)
        async with self._database.writing() as connection:
            await connection.execute(changed)

    async def due_mails(self, now: datetime, limit: int = 100) -> tuple[DueMail, ...]:
        """Mails that should have been sent by now, the most overdue first."""
        found = (
            select(
                links.c.user_id,
                links.c.purpose,
                links.c.asked_at,
                links.c.retry_at,
                links.c.attempts,
            )
            .where(links.c.retry_at <= now)
            .order_by(links.c.retry_at)
            .limit(limit)
        )
        async with self._database.reading() as connection:
            return tuple(DueMail(*row) for row in await connection.execute(found))

    @to_the_end
    async def claim_mail(
        self, due: DueMail, secret_hash: str, expires_at: datetime, retry_at: datetime
    ) -> bool:
        """Take a mail that is due, with a new secret: the former is nowhere any more. False if another took it."""
        claimed = (
            update(links)
            .where(
                links.c.user_id == due.user_id,
                links.c.purpose == due.purpose,
                links.c.retry_at == due.retry_at,
            )
            .values(
                secret_hash=secret_hash,
                expires_at=expires_at,
                retry_at=retry_at,
                attempts=due.attempts + 1,
            )
        )
        async with self._database.writing() as connection:
            return (await connection.execute(claimed)).rowcount == 1

    # --- sessions ------------------------------------------------------------------------------------------------

    @to_the_end
    async def begin_session(
        self, user_id: str, secret_hash: str, now: datetime, expires_at: datetime
    ) -> bool:
        """Keep a new session, and that the user logged in; its second-factor ticket is used up. False: no such user."""
        row = {
            "secret_hash": secret_hash,
            "user_id": user_id,
            "created_at": now,
            "last_used_at": now,
            "expires_at": expires_at,
        }
        came = update(users).where(users.c.user_id == user_id).values(last_login_at=now)
        ticket = delete(links).where(links.c.user_id == user_id, links.c.purpose == "second_factor")
        async with self._database.writing() as connection:
            if (await connection.execute(came)).rowcount == 0:
                return False
            await connection.execute(ticket)
            await connection.execute(insert(sessions), row)
        return True

    async def session(self, secret_hash: str, now: datetime) -> LiveSession | None:
        """The session with this secret, unless it has expired."""
        found = (
            _user_query.add_columns(
                sessions.c.last_used_at, sessions.c.expires_at.label("session_expires_at")
            )
            .join(sessions, sessions.c.user_id == users.c.user_id)
            .where(sessions.c.secret_hash == secret_hash, sessions.c.expires_at > now)
        )
        row = await self._database.read(lambda c: c.execute(found).one_or_none())
        if row is None:
            return None
        return LiveSession(_user(row, now), row.last_used_at, row.session_expires_at)

    async def use_session(self, secret_hash: str, now: datetime) -> None:
        """The session was used."""
        used = (
            update(sessions)
            .where(sessions.c.secret_hash == secret_hash, sessions.c.last_used_at < now)
            .values(last_used_at=now)
        )
        await self._database.write(lambda connection: connection.execute(used))

    @to_the_end
    async def end_session(self, secret_hash: str) -> None:
        """End a session, if there is such a one."""
        async with self._database.writing() as connection:
            await connection.execute(delete(sessions).where(sessions.c.secret_hash == secret_hash))

    @to_the_end
    async def end_sessions(self, user_id: str) -> None:
        """End all sessions of a user."""
        async with self._database.writing() as connection:
            await connection.execute(delete(sessions).where(sessions.c.user_id == user_id))

    @to_the_end
    async def tidy(self, now: datetime) -> None:
        """Forget what has expired. Invitations stay, for they are shown as expired."""
        async with self._database.writing() as connection:
            await connection.execute(delete(sessions).where(sessions.c.expires_at <= now))
            await connection.execute(
                delete(links).where(
                    links.c.expires_at <= now,
                    links.c.purpose != "invitation",
                    links.c.retry_at.is_(None),
                )
            )


_user_query = select(
    users,
    links.c.expires_at.label("invited_until"),
    links.c.sent_at.label("invited_at"),
    links.c.retry_at.label("invited_again_at"),
).outerjoin(links, and_(links.c.user_id == users.c.user_id, links.c.purpose == "invitation"))


async def _set_password(connection: Any, user_id: str, password_hash: str) -> None:
    await connection.execute(
        update(users).where(users.c.user_id == user_id).values(password_hash=password_hash)
    )
    await connection.execute(delete(sessions).where(sessions.c.user_id == user_id))
    await connection.execute(delete(links).where(links.c.user_id == user_id))


def _user(row: Any, now: datetime) -> User:
    return User(
        user_id=row.user_id,
        role=row.role,
        partner_id=row.partner_id,
        email=row.email,
        name=row.name,
        language=row.language,
        invitation=_invitation(row, now),
        second_factor=row.totp_confirmed,
        created_at=row.created_at,
        last_login_at=row.last_login_at,
    )


def _invitation(row: Any, now: datetime) -> Invitation:
    if row.password_hash is not None:
        return "accepted"
    if row.invited_again_at is not None:
        return "waiting"
    if row.invited_until is None or row.invited_until <= now:
        return "expired"
    return "failed" if row.invited_at is None else "sent"
