"""Accounts: partners, logins, tokens and sessions; who may log in, and as whom (docs/accounts.md)."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from domain.fields import EmailAddress, TextLine
from domain.values import Language, Value
from records.accounts import AccountRecords, Credentials, User, UserRole
from records.database import Database
from records.links import Links, NewLink
from records.mails import MailedPurpose
from records.partners import Partner, Partners
from records.tokens import Token, TokenRole, Tokens
from settings import Settings
from use_cases.account_errors import (
    BadLogin,
    Conflict,
    Fault,
    LinkUnusable,
    NotFound,
    SecondFactorNeeded,
    WrongFields,
    wrong_fields,
)
from use_cases.link_mails import PATIENCE, LinkMails, PreparedLink, hash_of, new_secret
from use_cases.passwords import Passwords, weakness
from use_cases.principal import Principal
from use_cases.second_factor import SecondFactor
from use_cases.throttle import Throttle

logger = logging.getLogger("cmi.desk")

TOKEN_PREFIX = "cmi_"
_LONGEST_SECRET = 200  # characters; ours are shorter

TICKET_VALID = timedelta(minutes=5)
_USE_NOTED = timedelta(minutes=1)
_HOUSEKEEPING = 30.0  # seconds
_TIDYING = 120  # rounds of it


class _Lifetime(NamedTuple):
    idle: timedelta
    whole: timedelta


_PARTNERS_SESSION = _Lifetime(timedelta(days=14), timedelta(days=90))  # on a phone, every day
_STAFF_SESSION = _Lifetime(timedelta(hours=12), timedelta(days=7))


class Session(NamedTuple):
    """A login that succeeded. The secret is for the cookie; `expires_at` is when it ends at the latest."""

    secret: str
    principal: Principal
    expires_at: datetime


class FirstLogin(NamedTuple):
    """An operations login that was made by command, with its link, and whether that was mailed, too."""

    user: User
    link: str
    mailed: bool


class _NewUser(Value):
    email: EmailAddress
    name: TextLine
    language: Language


class _NewToken(Value):
    name: TextLine


class Accounts:
    """Everything about partners, logins and tokens. One for each process; `close` it at the end.

    `keep_house` has to run beside it in at least one process, so that mails that could not be sent go out later.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._clock = clock
        self._partners = Partners(database)
        self._records = AccountRecords(database)
        self._tokens = Tokens(database)
        self._throttle = Throttle(database, clock)
        self.second_factor = SecondFactor(settings, self._records, self._throttle, clock)
        self._links = Links(database)
        self._link_mails = LinkMails(settings, database, clock)
        self._passwords = Passwords()
        self._language = settings.operations_language
        self._used: dict[str, datetime] = {}
        self._notes: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Wait for the mails that are under way, and for what is still being noted."""
        await self._link_mails.close()
        await self.noted()

    async def noted(self) -> None:
        """Wait until the uses of tokens and sessions so far are noted."""
        if self._notes:
            await asyncio.wait(self._notes)

    async def keep_house(self) -> None:
        """For ever: send mails that are not out yet, and forget what has expired. Several processes may do it."""
        turn = 0
        while True:
            try:
                # A conversation with the mail server is not cut off in the middle: `close` waits for it.
                await asyncio.shield(self._link_mails.spawn(self._link_mails.send_due()))
                if turn % _TIDYING == 0:
                    await self.tidy()
            except Exception as error:  # another time; its text may quote what is personal
                logger.warning("no housekeeping", extra={"why": type(error).__name__})
            turn += 1
            await asyncio.sleep(_HOUSEKEEPING)

    async def send_due_mails(self) -> int:
        """Send the invitations and resets that could not be sent before. Returns how many went out."""
        return await self._link_mails.send_due()

    async def tidy(self) -> None:
        """Forget sessions and links that have expired, and guesses of long ago."""
        now = self._clock()
        await self._records.tidy(now)
        await self._links.tidy(now)
        await self._throttle.tidy()
        self._used = {login: at for login, at in self._used.items() if now - at < _USE_NOTED}

    # --- who calls -----------------------------------------------------------------------------------------------

    async def principal_of_token(self, token: str) -> Principal | None:
        """Whom a token stands for; None for one that is unknown, expired or revoked."""
        if not token.startswith(TOKEN_PREFIX) or len(token) > _LONGEST_SECRET:
            return None
        now = self._clock()
        known = await self._tokens.find(hash_of(token), now)
        if known is None:
            return None
        if self._note_use(known.token_id, known.last_used_at, now):
            self._beside(self._tokens.use(known.token_id, now))
        return Principal(
            role=known.role, login_id=known.token_id, name=known.name, partner_id=known.partner_id
        )

    async def principal_of_session(self, secret: str) -> Principal | None:
        """Whom a session stands for; None for one that is unknown, ended, expired, or unused for too long."""
        if len(secret) > _LONGEST_SECRET:
            return None
        now = self._clock()
        session = await self._records.session(hash_of(secret), now)
        if session is None or now - session.last_used_at > _lifetime(session.user).idle:
            return None
        if self._note_use(hash_of(secret), session.last_used_at, now):
            self._beside(self._records.use_session(hash_of(secret), now))
        return _principal(session.user)

    def _note_use(self, login: str, noted: datetime | None, now: datetime) -> bool:
        """Whether it is time to note a use. Of many calls at once one is told so."""
        noted = max(filter(None, (noted, self._used.get(login))), default=None)
        if noted is not None and now - noted < _USE_NOTED:
            return False
        self._used[login] = now
        return True

    def _beside(self, noting: Coroutine[Any, Any, None]) -> None:
        """Note a use while the caller goes on: it does not wait for other writers to look at something."""
        task = asyncio.create_task(_quietly(noting))
        self._notes.add(task)
        task.add_done_callback(self._notes.discard)

    # --- log in and out ------------------------------------------------------------------------------------------

    async def log_in(
        self, email: str, password: str, address: str, code: str | None = None
    ) -> Session:
        """Let a user in. `address` is where the call comes from.

        Raises:
            Throttled: too many guesses at this account or from this address.
            BadLogin: not this e-mail with this password, or not this code.
            SecondFactorNeeded: only the code is missing.
        """
        await self._throttle.guess(email, address)
        now = self._clock()
        known = await self._records.by_email(email, now)
        right, better = await self._passwords.check(
            password, known.password_hash if known else None
        )
        if known is None or known.password_hash is None or not right:
            raise BadLogin("e-mail or password is wrong")
        if better is not None:
            await self._records.rehash(known.user.user_id, known.password_hash, better)
        if known.totp_confirmed:
            if not code:
                await self._throttle.was_none(email, address)
                raise SecondFactorNeeded(await self._new_ticket(known.user))
            if not await self.second_factor.takes(known, code):
                raise BadLogin("the code is wrong, or was used before")
        return await self._let_in(known.user, address)

    async def finish_log_in(self, ticket: str, code: str, address: str) -> Session:
        """Let a user in whose password was right, by the code.

        Raises:
            LinkUnusable: the ticket is too old: from the start, please.
            Throttled, BadLogin: as in `log_in`.
        """
        now = self._clock()
        link = await self._links.find(hash_of(ticket), now)
        if link is None or link.purpose != "second_factor":
            raise LinkUnusable()
        known = await self._records.by_id(link.user_id, now)
        if known is None:
            raise LinkUnusable()
        await self._throttle.guess(known.user.email, address)
        if known.totp_confirmed and not await self.second_factor.takes(known, code):
            raise BadLogin("the code is wrong, or was used before")
        return await self._let_in(known.user, address)

    async def end_session(self, secret: str) -> None:
        """Log out: the session is no more."""
        await self._records.end_session(hash_of(secret))

    async def end_all_sessions(self, user_id: str) -> None:
        """Log a user out everywhere."""
        await self._records.end_sessions(user_id)

    async def _new_ticket(self, user: User) -> str:
        ticket, now = new_secret(), self._clock()
        await self._links.put(
            NewLink(user.user_id, "second_factor", hash_of(ticket), now + TICKET_VALID)
        )
        return ticket

    async def _let_in(self, user: User, address: str) -> Session:
        secret, now = new_secret(), self._clock()
        expires_at = now + _lifetime(user).whole
        if not await self._records.begin_session(user.user_id, hash_of(secret), now, expires_at):
            raise BadLogin("e-mail or password is wrong")  # removed a moment ago
        await self._throttle.was_right(user.email, address)
        logger.info("logged in", extra={"user": user.user_id})
        return Session(secret, _principal(user), expires_at)

    # --- partners ------------------------------------------------------------------------------------------------

    async def partners(self) -> tuple[Partner, ...]:
        """All partners, by their id."""
        return await self._partners.list()

    async def find_partners(
        self, q: str, limit: int, after: str | None = None
    ) -> tuple[tuple[Partner, ...], int]:
        """Partners whose id, name, place or e-mail contains a text, by their id, those after `after`; and how many."""
        return await self._partners.search(q, limit, after)

    async def partner(self, partner_id: str) -> Partner:
        """A partner. Raises `NotFound`."""
        return await self._partner(partner_id)

    async def add_partner(self, partner: Partner) -> bool:
        """Add a partner. False if it is there already, just so.

        Raises:
            Conflict: another partner has this id.
        """
        if await self._partners.add(partner, self._clock()):
            return True
        if await self._partners.get(partner.partner_id) == partner:
            return False
        raise Conflict(f"There is a partner {partner.partner_id} already, with other content.")

    async def change_partner(self, partner_id: str, changes: Mapping[str, Any]) -> Partner:
        """Change some fields of a partner. Running orders keep their calendar; mails go to a new address at once.

        Raises:
            NotFound: no such partner.
            WrongFields: naming each field that cannot be so; nothing was changed.
        """
        if changes.get("partner_id", partner_id) != partner_id:
            raise WrongFields(Fault("partner_id", "fixed", "cannot be changed"))
        try:
            changed = await self._partners.change(partner_id, changes, self._clock())
        except ValidationError as error:
            raise wrong_fields(error) from None
        if changed is None:
            raise NotFound("partner")
        return changed

    async def _partner(self, partner_id: str) -> Partner:
        partner = await self._partners.get(partner_id)
        if partner is None:
            raise NotFound("partner")
        return partner

    # --- users ---------------------------------------------------------------------------------------------------

    async def users(self, partner_id: str | None) -> tuple[User, ...]:
        """The logins of a partner, or (None) those of the retailer's staff. Raises `NotFound`: no such partner."""
        if partner_id is not None:
            await self._partner(partner_id)
        return await self._records.users(partner_id, self._clock())

    async def invite(
        self,
        partner_id: str | None,
        role: UserRole,
        email: str,
        name: str,
        language: Language | None = None,
        request_id: str | None = None,
    ) -> User:
        """Make a login and mail its invitation: a link that works once and for 72 hours. Once for a request id.

        If the mail server is away, the answer says `waiting` and the mail goes out later. Without a language it is the
        partner's, or that of operations.

        Raises:
            NotFound: no such partner.
            WrongFields: naming each field that cannot be so.
            Conflict: the address is another login's.
        """
        user_id = f"usr_{_code(request_id)}"
        try:
            user, link = await self._add_user(partner_id, role, email, name, language, user_id)
        except Conflict:
            known = await self._records.by_email(email, self._clock())
            if known is None or known.user.user_id != user_id:
                raise
            return known.user
        await _wait_a_moment(self._link_mails.start_sending(user, link))
        return await self._user(partner_id, user.user_id)

    async def invite_again(self, partner_id: str | None, user_id: str) -> User:
        """Mail a new invitation; the former link no longer works.

        Raises:
            NotFound: no such user there.
            Conflict: the invitation was accepted.
        """
        user = await self._user(partner_id, user_id)
        if user.invitation == "accepted":
            raise Conflict("The invitation was accepted already.")
        if sending := await self._link_mails.issue(user, "invitation"):
            await _wait_a_moment(sending)
        return await self._user(partner_id, user_id)

    async def first_operations_login(self, email: str, name: str | None = None) -> FirstLogin:
        """Make an operations login from the command line; its link can be handed over if mail does not work yet.

        Raises:
            WrongFields: the address is none.
            Conflict: it is another login's.
        """
        user, link = await self._add_user(
            None,
            "operations",
            email,
            name or email.strip(),
            None,
            f"usr_{_code(None)}",
            mail_once=True,
        )
        sent = await self._link_mails.start_sending(user, link)
        return FirstLogin(user, self._link_mails.address(link), sent)

    async def _add_user(
        self,
        partner_id: str | None,
        role: UserRole,
        email: str,
        name: str,
        language: Language | None,
        user_id: str,
        *,
        mail_once: bool = False,
    ) -> tuple[User, PreparedLink]:
        """Add a login, its invitation and the mail of that in one transaction."""
        _check_belonging(role, partner_id)
        standard = (await self._partner(partner_id)).language if partner_id else self._language
        try:
            new = _NewUser(email=email, name=name, language=language or standard)
        except ValidationError as error:
            raise wrong_fields(error) from None
        link = self._link_mails.prepare(user_id, new.email, "invitation", only_once=mail_once)
        added = await self._records.add_user(
            user_id, role, partner_id, new.email, new.name, new.language, self._clock(), link.row
        )
        if not added:
            raise Conflict("There is a login with this e-mail address already.")
        logger.info("login made", extra={"user": user_id, "role": role, "partner": partner_id})
        return await self._user(partner_id, user_id), link

    async def remove_user(self, partner_id: str | None, user_id: str) -> None:
        """Remove a login of a partner (None: of the staff); its sessions end. Raises `NotFound`: no such one there."""
        await self._user(partner_id, user_id)
        await self._records.remove_user(user_id)
        logger.info("login removed", extra={"user": user_id})

    async def set_language(self, user_id: str, language: Language) -> None:
        """The user reads this language from now on."""
        await self._records.set_language(user_id, language)

    async def _user(self, partner_id: str | None, user_id: str) -> User:
        known = await self._records.by_id(user_id, self._clock())
        if known is None or known.user.partner_id != partner_id:
            raise NotFound("user")
        return known.user

    async def _credentials(self, user_id: str) -> Credentials:
        known = await self._records.by_id(user_id, self._clock())
        if known is None:
            raise NotFound("user")
        return known

    # --- passwords -----------------------------------------------------------------------------------------------

    async def open_link(self, secret: str) -> tuple[User, MailedPurpose]:
        """Whose mailed link this is, and what it is for; it is not used by that. Raises `LinkUnusable`."""
        now = self._clock()
        link = await self._links.find(hash_of(secret), now)
        known = await self._records.by_id(link.user_id, now) if link else None
        if link is None or known is None or link.purpose == "second_factor":
            raise LinkUnusable()
        return known.user, link.purpose

    async def accept_invitation(self, secret: str, password: str) -> User:
        """Set the password of whose link this is, which then is used; a reset's link works the same. Sessions end.

        Raises:
            LinkUnusable: it does not work (any more).
            WrongFields: the password is too weak; the link can be used again.
        """
        user, _ = await self.open_link(secret)
        hashed = await self._hash_strong(user, password)
        if await self._records.use_link(hash_of(secret), hashed, self._clock()) is None:
            raise LinkUnusable()
        await self._throttle.was_right(user.email)
        logger.info("password set", extra={"user": user.user_id})
        return user

    async def request_reset(self, email: str, address: str) -> None:
        """Mail a link for a new password, if there is such a login. The caller cannot tell.

        All that depends on the login happens after the answer. Raises `Throttled`, whether there is one or not.
        """
        await self._throttle.reset(email, address)
        self._link_mails.spawn(self._reset(email))

    async def _reset(self, email: str) -> bool:
        try:
            known = await self._records.by_email(email, self._clock())
            if known is not None:
                await self._link_mails.issue(known.user, "reset")
        except (SQLAlchemyError, OSError) as error:
            logger.warning("reset not mailed", extra={"why": type(error).__name__})
            return False
        return known is not None

    async def change_password(self, user_id: str, former: str, password: str) -> None:
        """Set another password, by who knows the former. All sessions end, also the caller's.

        Raises:
            Throttled: too many guesses.
            WrongFields: `former` is wrong, or `password` too weak.
        """
        known = await self._credentials(user_id)
        await self._throttle.guess(known.user.email)
        right, _ = await self._passwords.check(former, known.password_hash)
        if not right:
            raise WrongFields(Fault("former", "wrong", "is not the password until now"))
        await self._throttle.was_right(known.user.email)
        await self._records.set_password(user_id, await self._hash_strong(known.user, password))
        logger.info("password set", extra={"user": user_id})

    async def _hash_strong(self, user: User, password: str) -> str:
        weak = weakness(password, user.email, user.name)
        if weak is not None:
            raise WrongFields(Fault("password", *weak))
        return await self._passwords.hash(password)

    # --- tokens --------------------------------------------------------------------------------------------------

    async def tokens(self, partner_id: str | None) -> tuple[Token, ...]:
        """The tokens of a partner, or (None) those of the retailer's systems. Raises `NotFound`: no such partner."""
        if partner_id is not None:
            await self._partner(partner_id)
        return await self._tokens.list(partner_id)

    async def make_token(
        self,
        role: TokenRole,
        name: str,
        partner_id: str | None = None,
        expires: datetime | None = None,
        request_id: str | None = None,
    ) -> tuple[str, str]:
        """Make a token, once for a request id. Returns its id, and the token itself, which nobody can look up again.

        Raises:
            NotFound: no such partner.
            WrongFields: naming each field that cannot be so.
            Conflict: this request has made one already.
        """
        _check_belonging(role, partner_id)
        if partner_id is not None:
            await self._partner(partner_id)
        now = self._clock()
        try:
            name = _NewToken(name=name).name
        except ValidationError as error:
            raise wrong_fields(error) from None
        if expires is not None and expires <= now:
            raise WrongFields(Fault("expires_at", "past", "must be in the future"))
        token = TOKEN_PREFIX + new_secret()
        made = Token(
            token_id=f"tok_{_code(request_id)}",
            role=role,
            partner_id=partner_id,
            name=name,
            created_at=now,
            last_used_at=None,
            expires_at=expires,
            revoked_at=None,
        )
        if not await self._tokens.add(made, hash_of(token)):
            raise Conflict("This token was made already, and is shown only once.")
        facts = {"token_id": made.token_id, "role": role, "partner": partner_id}
        logger.info("token made", extra=facts)
        return made.token_id, token

    async def revoke_token(self, partner_id: str | None, token_id: str) -> None:
        """Revoke a token of a partner (None: of the retailer), at once and for ever. Raises `NotFound`."""
        if not await self._tokens.revoke(partner_id, token_id, self._clock()):
            raise NotFound("token")
        logger.info("token revoked", extra={"token_id": token_id})


async def _wait_a_moment(sending: asyncio.Task[bool]) -> None:
    """Give the mail server a moment to take a mail."""
    await asyncio.wait({sending}, timeout=PATIENCE)


async def _quietly(noting: Coroutine[Any, Any, None]) -> None:
    """Note a use. That it was used is good to know and no more: whoever calls is not turned away for it."""
    try:
        await noting
    except (SQLAlchemyError, OSError) as error:
        logger.warning("a login's use was not noted", extra={"why": type(error).__name__})


def _principal(user: User) -> Principal:
    return Principal(
        role=user.role,
        login_id=user.user_id,
        name=user.name,
        partner_id=user.partner_id,
        email=user.email,
        language=user.language,
    )


def _lifetime(user: User) -> _Lifetime:
    return _PARTNERS_SESSION if user.role == "partner" else _STAFF_SESSION


def _code(request_id: str | None) -> str:
    """The part of an id that tells one from another: of the same request it is the same."""
    if request_id is None:
        return secrets.token_hex(8)
    return hash_of(request_id)[:16]


def _check_belonging(role: str, partner_id: str | None) -> None:
    if (role == "partner") != (partner_id is not None):
        message = "must be partner for a partner's login, and only there"
        raise WrongFields(Fault("role", "role", message))
