"""Users with their sessions. Only hashes of secrets are stored."""

from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, and_, bindparam, delete, func, insert, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite

from domain.people import PartnerRole
from domain.values import Language, Value
from records.confirmations import Confirmations
from records.database import Database, storable, to_the_end
from records.endings import has_not_ended
from records.leaving import Leaving
from records.links import NewLink, put_link
from records.passwords import PasswordRecords
from records.second_factors import SecondFactors
from records.session_lists import SessionLists
from records.tables import Instant, links, mails, sessions, users

UserRole = Literal["partner", "operations", "accounting"]
Invitation = Literal["accepted", "sent", "waiting", "failed", "expired"]

_MOST_LISTED = 100


class User(Value):
    """A person who logs in with a password. `partner_id` is None for operations and accounting."""

    user_id: str
    role: UserRole
    partner_id: str | None
    email: str
    name: str
    language: Language
    invitation: Invitation
    """`waiting`: its mail is not sent yet and is tried again; `failed`: the mail server refused it."""
    second_factor: bool
    created_at: datetime
    last_login_at: datetime | None
    first_login_at: datetime | None = None
    factor_reset_at: datetime | None = None  # when operations last removed a lost second factor
    partner_role: PartnerRole | None = None  # of a partner's person
    notifications: tuple[str, ...] | None = (
        None  # as chosen (domain.people.wanted); None: nothing was chosen
    )


class Credentials(NamedTuple):
    """What a user proves its identity with. `password_hash` is None until the invitation is accepted.

    `partner_ended`: its partner has ended, so it cannot log in.
    """

    user: User
    password_hash: str | None
    totp_secret: str | None
    totp_confirmed: bool
    totp_last_step: int | None
    partner_ended: bool = False


class LiveSession(NamedTuple):
    """A session and its user. `confirmed_at`: when password and code were last right in it."""

    user: User
    began_at: datetime
    last_used_at: datetime
    expires_at: datetime
    confirmed_at: datetime | None


def email_key(email: str) -> str:
    """The form of an e-mail address by which two spellings of it are compared."""
    return email.strip().casefold()


class AccountRecords:
    """Users, their sessions, links and second factors."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.second_factors = SecondFactors(database)
        self.confirmations = Confirmations(database)
        self.passwords = PasswordRecords(database)
        self.session_lists = SessionLists(database)
        self.leaving = Leaving(database)
        upsert = sqlite.insert if database.is_sqlite else postgresql.insert
        # Do nothing on a conflict of either key: two calls with one request id share both the id and the address.
        self._add_user = upsert(users).on_conflict_do_nothing()

    # --- users ---------------------------------------------------------------------------------------------------

    async def add_user(
        self,
        user_id: str,
        role: UserRole,
        partner_id: str | None,
        email: str,
        name: str,
        language: Language,
        now: datetime,
        invitation: NewLink,
        partner_role: PartnerRole = "office",
    ) -> bool:
        """Add a user without a password, and the invitation with its mail. False if there is a user with this
        address or id."""
        row = {
            "user_id": user_id,
            "role": role,
            "partner_id": partner_id,
            "partner_role": None if partner_id is None else partner_role,
            "email": email,
            "email_key": email_key(email),
            "name": name,
            "language": language,
            "totp_confirmed": False,
            "created_at": now,
        }

        def add(connection: Connection) -> bool:
            if connection.execute(self._add_user, row).rowcount == 0:
                return False
            put_link(connection, invitation)
            return True

        return await self._database.write(add)

    async def users(self, partner_id: str | None, now: datetime) -> tuple[User, ...]:
        """The users of a partner, or (None) those of the retailer, in the order they were added."""
        found = _user_query.where(
            users.c.partner_id.is_(None) if partner_id is None else users.c.partner_id == partner_id
        ).order_by(users.c.created_at, users.c.user_id)
        async with self._database.reading() as connection:
            return tuple(_user(row, now) for row in await connection.execute(found))

    async def not_invited(self, until: datetime, now: datetime) -> tuple[User, ...]:
        """Users whose invitation was not sent: refused by the mail server, or first tried at `until` or earlier."""
        found = (
            _user_query.where(
                users.c.password_hash.is_(None),
                links.c.expires_at > now,
                mails.c.state != "sent",
                mails.c.next_attempt_at.is_(None) | (mails.c.first_tried_at <= until),
            )
            .order_by(mails.c.first_tried_at, users.c.user_id)
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
            partner_ended=row.partner_ended,
        )

    async def set_language(self, user_id: str, language: Language) -> None:
        """Set the user's language."""
        await self._update_user(user_id, language=language)

    @to_the_end
    async def _update_user(self, user_id: str, **changes: Any) -> None:
        changed = update(users).where(users.c.user_id == user_id).values(**changes)
        async with self._database.writing() as connection:
            await connection.execute(changed)

    # --- sessions ------------------------------------------------------------------------------------------------

    @to_the_end
    async def begin_session(
        self,
        user_id: str,
        secret_hash: str,
        now: datetime,
        expires_at: datetime,
        browser: str | None = None,
        network: str | None = None,
        *,
        password_hash: str | None = None,
        with_code: bool = False,
    ) -> bool:
        """Store a new session and the time of the login, and delete the second-factor ticket.

        `password_hash`: the one that the password was checked against. `with_code`: a code of the second factor was
        right, too. False: there is no such user, its partner has ended, its password was changed since the check, or
        it has a second factor since then.
        """
        row = {
            "secret_hash": secret_hash,
            "user_id": user_id,
            "created_at": now,
            "last_used_at": now,
            "expires_at": expires_at,
            "confirmed_at": now,
            "browser": browser,
            "network": network,
        }
        first = func.coalesce(users.c.first_login_at, literal(now, Instant))
        came = (
            update(users)
            .where(
                users.c.user_id == user_id,
                has_not_ended(users.c.partner_id),
                *(() if password_hash is None else (users.c.password_hash == password_hash,)),
                *(() if with_code else (users.c.totp_confirmed.is_(False),)),
            )
            .values(last_login_at=now, first_login_at=first)
        )
        ticket = delete(links).where(links.c.user_id == user_id, links.c.purpose == "second_factor")
        async with self._database.writing() as connection:
            if (await connection.execute(came)).rowcount == 0:
                return False
            await connection.execute(ticket)
            await connection.execute(insert(sessions), row)
        return True

    async def session(self, secret_hash: str, now: datetime) -> LiveSession | None:
        """The session with this secret, unless it has expired or its user's partner has ended."""
        values = {"secret_hash": secret_hash, "now": now}
        row = await self._database.read(lambda c: c.execute(_SESSION, values).one_or_none())
        if row is None:
            return None
        began_at, used_at = row.session_began_at, row.last_used_at
        return LiveSession(
            _user(row, now), began_at, used_at, row.session_expires_at, row.confirmed_at
        )

    async def use_session(self, secret_hash: str, now: datetime) -> None:
        """Store that the session was used now."""
        used = (
            update(sessions)
            .where(sessions.c.secret_hash == secret_hash, sessions.c.last_used_at < now)
            .values(last_used_at=now)
        )
        await self._database.write(lambda connection: connection.execute(used))

    @to_the_end
    async def end_session(self, secret_hash: str) -> None:
        """End a session, if it exists."""
        async with self._database.writing() as connection:
            await connection.execute(delete(sessions).where(sessions.c.secret_hash == secret_hash))

    @to_the_end
    async def end_sessions(self, user_id: str) -> None:
        """End all sessions of a user."""
        async with self._database.writing() as connection:
            await connection.execute(delete(sessions).where(sessions.c.user_id == user_id))

    async def tidy(self, now: datetime) -> None:
        """Delete sessions that have expired."""
        expired = delete(sessions).where(sessions.c.expires_at <= now)
        await self._database.write(lambda connection: connection.execute(expired))


_user_query = (
    select(
        users,
        links.c.expires_at.label("invited_until"),
        mails.c.state.label("invitation_mail"),
        mails.c.next_attempt_at.label("invited_again_at"),
        (~has_not_ended(users.c.partner_id)).label("partner_ended"),
    )
    .outerjoin(links, and_(links.c.user_id == users.c.user_id, links.c.purpose == "invitation"))
    .outerjoin(mails, mails.c.key == links.c.mail_key)
)
# Each page reads this. To build the statement takes longer than the database.
_SESSION = (
    _user_query.add_columns(
        sessions.c.created_at.label("session_began_at"),
        sessions.c.last_used_at,
        sessions.c.expires_at.label("session_expires_at"),
        sessions.c.confirmed_at,
    )
    .join(sessions, sessions.c.user_id == users.c.user_id)
    .where(
        sessions.c.secret_hash == bindparam("secret_hash"),
        sessions.c.expires_at > bindparam("now"),
        has_not_ended(users.c.partner_id),
    )
)


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
        first_login_at=row.first_login_at,
        factor_reset_at=row.factor_reset_at,
        partner_role=None if row.partner_id is None else row.partner_role or "office",
        notifications=None if row.notifications is None else tuple(row.notifications.split()),
    )


def _invitation(row: Any, now: datetime) -> Invitation:
    if row.password_hash is not None:
        return "accepted"
    if row.invited_again_at is not None:
        return "waiting"
    if row.invited_until is None or row.invited_until <= now:
        return "expired"
    return "sent" if row.invitation_mail == "sent" else "failed"
