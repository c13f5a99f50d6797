"""Accounts: partners, logins, tokens and sessions; who is let in, and as whom (DESIGN 1, docs/accounts.md)."""

import asyncio
import ipaddress
import logging
import math
import secrets
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from desk import second_factor
from desk.link_mails import LinkMails, hash_of, new_secret
from desk.passwords import Passwords, weakness
from desk.principal import Principal
from domain.order import EmailAddress, Line
from domain.values import Language, Value
from records.accounts import (
    AccountRecords,
    Credentials,
    MailedPurpose,
    Token,
    TokenRole,
    User,
    UserRole,
    email_key,
)
from records.database import Database
from records.guesses import Guesses, Limit
from records.partners import Partner, Partners
from settings import Settings

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

# An account waits for whoever guesses at it, so its own user is never kept out for longer than a quarter of an hour. An
# address may be a whole office's.
_SECOND, _MINUTE, _HOUR, _DAY = (
    timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours", "days")
)
_BY_ACCOUNT = Limit(free=5, first=_SECOND, longest=15 * _MINUTE, forgotten=_DAY)
_BY_ADDRESS = Limit(free=20, first=_SECOND, longest=15 * _MINUTE, forgotten=_HOUR)
_RESETS = Limit(free=3, first=_MINUTE, longest=_HOUR, forgotten=_DAY)
_RESETS_BY_ADDRESS = Limit(free=20, first=_MINUTE, longest=_HOUR, forgotten=_DAY)


class BadLogin(Exception):
    """Wrong e-mail, password or code. Which of them is not said."""


class Throttled(Exception):
    """Too many guesses. `retry_after` is in whole seconds, at least 1."""

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(f"too many guesses; again in {retry_after} s")


class SecondFactorNeeded(Exception):
    """The password was right, and a code of the second factor is needed, too.

    `ticket` stands for the right password for five minutes: `Accounts.finish_log_in`.
    """

    def __init__(self, ticket: str) -> None:
        self.ticket = ticket
        super().__init__("a code of the second factor is needed")


class NotFound(Exception):
    """No such thing, or not there where it was looked for. `kind`: partner, user, token."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        super().__init__(f"There is no such {kind}.")


class Conflict(Exception):
    """Not as things stand; the text says why."""


class Fault(NamedTuple):
    """What is wrong with one field. `code` is for programs and translations, `message` is English."""

    field: str
    code: str
    message: str


class WrongFields(Exception):
    """Values that cannot be; `faults` names each field."""

    def __init__(self, *faults: Fault) -> None:
        self.faults = faults
        super().__init__("; ".join(f"{fault.field}: {fault.message}" for fault in faults))


class LinkUnusable(Exception):
    """A link or ticket that is unknown, used, replaced by a newer one, or too old."""


class SecondFactorUnavailable(Exception):
    """The second factor cannot be set up; the text says why."""


class Session(NamedTuple):
    """A login that succeeded. The secret is for the cookie; `expires_at` is when it ends at the latest."""

    secret: str
    principal: Principal
    expires_at: datetime


class Enrolment(NamedTuple):
    """What an authenticator app needs, shown once: the secret, and the same as an `otpauth://` address."""

    secret: str
    uri: str


class FirstLogin(NamedTuple):
    """An operations login that was made by command, with its link, and whether that was mailed, too."""

    user: User
    link: str
    mailed: bool


class _NewUser(Value):
    email: EmailAddress
    name: Line
    language: Language


class _NewToken(Value):
    name: Line


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
        self._guesses = Guesses(database)
        self._links = LinkMails(settings, self._records, clock)
        self._passwords = Passwords()
        self._language = settings.operations_language
        key = settings.secret_key
        self._box = second_factor.SecretBox(key.get_secret_value()) if key else None
        self._used: dict[str, datetime] = {}

    async def close(self) -> None:
        """Wait for the mails that are under way."""
        await self._links.close()

    async def keep_house(self) -> None:
        """For ever: send mails that are not out yet, and forget what has expired. Several processes may do it."""
        turn = 0
        while True:
            try:
                # A conversation with the mail server is not cut off in the middle: `close` waits for it.
                await asyncio.shield(self._links.spawn(self._links.send_due()))
                if turn % _TIDYING == 0:
                    await self.tidy()
            except Exception as error:  # another time; its text may quote what is personal
                logger.warning("no housekeeping", extra={"why": type(error).__name__})
            turn += 1
            await asyncio.sleep(_HOUSEKEEPING)

    async def send_due_mails(self) -> int:
        """Send the invitations and resets that could not be sent before. Returns how many went out."""
        return await self._links.send_due()

    async def tidy(self) -> None:
        """Forget sessions and links that have expired, and guesses of long ago."""
        now = self._clock()
        await self._records.tidy(now)
        await self._guesses.forget(now - _BY_ACCOUNT.forgotten)
        self._used = {login: at for login, at in self._used.items() if now - at < _USE_NOTED}

    # --- who calls -----------------------------------------------------------------------------------------------

    async def principal_of_token(self, token: str) -> Principal | None:
        """Whom a token stands for; None for one that is unknown, expired or revoked."""
        if not token.startswith(TOKEN_PREFIX) or len(token) > _LONGEST_SECRET:
            return None
        now = self._clock()
        known = await self._records.token(hash_of(token), now)
        if known is None:
            return None
        if self._note_use(known.token_id, known.last_used_at, now):
            await _quietly(self._records.use_token(known.token_id, now))
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
            await _quietly(self._records.use_session(hash_of(secret), now))
        return _principal(session.user)

    def _note_use(self, login: str, noted: datetime | None, now: datetime) -> bool:
        """Whether it is time to note a use. Of many calls at once one is told so."""
        noted = max(filter(None, (noted, self._used.get(login))), default=None)
        if noted is not None and now - noted < _USE_NOTED:
            return False
        self._used[login] = now
        return True

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
        account, place = f"account:{email_key(email)}", _place(address)
        await self._charge({account: _BY_ACCOUNT, place: _BY_ADDRESS})
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
                await self._guesses.refund([account, place], now)
                raise SecondFactorNeeded(await self._new_ticket(known.user))
            if not await self._takes_code(known, code):
                raise BadLogin("the code is wrong, or was used before")
        return await self._let_in(known.user, account, place)

    async def finish_log_in(self, ticket: str, code: str, address: str) -> Session:
        """Let a user in whose password was right, by the code.

        Raises:
            LinkUnusable: the ticket is too old: from the start, please.
            Throttled, BadLogin: as in `log_in`.
        """
        now = self._clock()
        link = await self._records.find_link(hash_of(ticket), now)
        if link is None or link.purpose != "second_factor":
            raise LinkUnusable("this ticket does not work (any more)")
        known = await self._records.by_id(link.user_id, now)
        if known is None:
            raise LinkUnusable("this ticket does not work (any more)")
        account, place = f"account:{email_key(known.user.email)}", _place(address)
        await self._charge({account: _BY_ACCOUNT, place: _BY_ADDRESS})
        if known.totp_confirmed and not await self._takes_code(known, code):
            raise BadLogin("the code is wrong, or was used before")
        return await self._let_in(known.user, account, place)

    async def end_session(self, secret: str) -> None:
        """Log out: the session is no more."""
        await self._records.end_session(hash_of(secret))

    async def end_all_sessions(self, user_id: str) -> None:
        """Log a user out everywhere."""
        await self._records.end_sessions(user_id)

    async def _new_ticket(self, user: User) -> str:
        ticket, now = new_secret(), self._clock()
        await self._records.put_link(
            user.user_id, "second_factor", hash_of(ticket), now, now + TICKET_VALID
        )
        return ticket

    async def _let_in(self, user: User, account: str, place: str) -> Session:
        secret, now = new_secret(), self._clock()
        expires_at = now + _lifetime(user).whole
        if not await self._records.begin_session(user.user_id, hash_of(secret), now, expires_at):
            raise BadLogin("e-mail or password is wrong")  # removed a moment ago
        await self._guesses.clear(account)
        # Not cleared: somebody with one good login could guess at all others from there.
        await self._guesses.refund([place], now)
        logger.info("logged in", extra={"user": user.user_id})
        return Session(secret, _principal(user), expires_at)

    async def _charge(self, limits: Mapping[str, Limit]) -> None:
        wait = await self._guesses.charge(limits, self._clock())
        if wait is not None:
            raise Throttled(math.ceil(wait.total_seconds()))

    # --- partners ------------------------------------------------------------------------------------------------

    async def partners(self) -> tuple[Partner, ...]:
        """All partners, by their id."""
        return await self._partners.list()

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
        """Change some fields of a partner. Running orders keep their calendar (DESIGN 3); addresses count at once.

        Raises:
            NotFound: no such partner.
            WrongFields: naming each field that cannot be so; nothing was changed.
        """
        if changes.get("partner_id", partner_id) != partner_id:
            raise WrongFields(Fault("partner_id", "fixed", "cannot be changed"))
        try:
            changed = await self._partners.change(partner_id, changes, self._clock())
        except ValidationError as error:
            raise _wrong(error) from None
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
    ) -> User:
        """Make a login and mail its invitation: a link that works once and for 72 hours.

        If the mail server is away, the answer says `waiting` and the mail goes out later. Without a language it is the
        partner's, or that of operations.

        Raises:
            NotFound: no such partner.
            WrongFields: naming each field that cannot be so.
            Conflict: the address is another login's.
        """
        user = await self._add_user(partner_id, role, email, name, language)
        await self._links.mail(user, "invitation")
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
        await self._links.mail(user, "invitation")
        return await self._user(partner_id, user_id)

    async def first_operations_login(self, email: str, name: str | None = None) -> FirstLogin:
        """Make an operations login from the command line; its link can be handed over if mail does not work yet.

        Raises:
            WrongFields: the address is none.
            Conflict: it is another login's.
        """
        user = await self._add_user(None, "operations", email, name or email.strip(), None)
        issued = await self._links.issue(user, "invitation", persist=False)
        if issued is None:
            raise NotFound("user")
        return FirstLogin(user, issued.address, await issued.sending)

    async def _add_user(
        self,
        partner_id: str | None,
        role: UserRole,
        email: str,
        name: str,
        language: Language | None,
    ) -> User:
        _check_belonging(role, partner_id)
        standard = (await self._partner(partner_id)).language if partner_id else self._language
        try:
            new = _NewUser(email=email, name=name, language=language or standard)
        except ValidationError as error:
            raise _wrong(error) from None
        user_id = f"usr_{secrets.token_hex(8)}"
        added = await self._records.add_user(
            user_id, role, partner_id, new.email, new.name, new.language, self._clock()
        )
        if not added:
            raise Conflict("There is a login with this e-mail address already.")
        logger.info("login made", extra={"user": user_id, "role": role, "partner": partner_id})
        return await self._user(partner_id, user_id)

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
        link = await self._records.find_link(hash_of(secret), now)
        known = await self._records.by_id(link.user_id, now) if link else None
        if link is None or known is None or link.purpose == "second_factor":
            raise LinkUnusable("this link does not work (any more)")
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
            raise LinkUnusable("this link does not work (any more)")
        await self._guesses.clear(f"account:{email_key(user.email)}")
        logger.info("password set", extra={"user": user.user_id})
        return user

    async def request_reset(self, email: str, address: str) -> None:
        """Mail a link for a new password, if there is such a login. The caller cannot tell.

        All that depends on the login happens after the answer. Raises `Throttled`, whether there is one or not.
        """
        await self._charge(
            {
                f"reset:{email_key(email)}": _RESETS,
                f"reset:{_place(address)}": _RESETS_BY_ADDRESS,
            }
        )
        self._links.spawn(self._reset(email))

    async def _reset(self, email: str) -> bool:
        try:
            known = await self._records.by_email(email, self._clock())
            if known is not None:
                await self._links.issue(known.user, "reset")
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
        account = f"account:{email_key(known.user.email)}"
        await self._charge({account: _BY_ACCOUNT})
        right, _ = await self._passwords.check(former, known.password_hash)
        if not right:
            raise WrongFields(Fault("former", "wrong", "is not the password until now"))
        await self._guesses.refund([account], self._clock())
        await self._records.set_password(user_id, await self._hash_strong(known.user, password))
        logger.info("password set", extra={"user": user_id})

    async def _hash_strong(self, user: User, password: str) -> str:
        weak = weakness(password, user.email, user.name)
        if weak is not None:
            raise WrongFields(Fault("password", *weak))
        return await self._passwords.hash(password)

    # --- the second factor ---------------------------------------------------------------------------------------

    async def enrol_second_factor(self, user_id: str) -> Enrolment:
        """Begin to set up a second factor; it counts once a code confirms it, and replaces one not yet confirmed.

        Raises:
            SecondFactorUnavailable: this installation has no `CMI_SECRET_KEY`.
            Conflict: there is one already.
        """
        if self._box is None:
            raise SecondFactorUnavailable(
                "A second factor cannot be set up here: CMI_SECRET_KEY is not set."
            )
        user = (await self._credentials(user_id)).user
        secret = second_factor.new_secret()
        if not await self._records.enrol_totp(user_id, self._box.close(secret, user_id)):
            raise Conflict("There is a second factor already; remove it first.")
        return Enrolment(secret, second_factor.provisioning_uri(secret, user.email))

    async def confirm_second_factor(self, user_id: str, code: str) -> tuple[str, ...]:
        """Confirm it by a code of the app: from now on log-ins need one. Returns recovery codes, shown once.

        Raises:
            WrongFields: the code is wrong.
            Conflict: nothing is there to be confirmed.
        """
        known = await self._credentials(user_id)
        kept = known.totp_secret
        if kept is None or known.totp_confirmed:
            raise Conflict("No second factor is being set up.")
        step = self._step(known, code)
        if step is None:
            raise WrongFields(Fault("code", "wrong", "is not the app's code of this moment"))
        codes = second_factor.new_recovery_codes()
        hashes = [hash_of(second_factor.plain_recovery_code(each)) for each in codes]
        if not await self._records.confirm_totp(user_id, kept, step, hashes):
            raise Conflict("No second factor is being set up.")
        logger.info("second factor set up", extra={"user": user_id})
        return tuple(codes)

    async def remove_second_factor(self, user_id: str, code: str) -> None:
        """Remove one's own second factor, by a code.

        Raises:
            Throttled: too many guesses.
            WrongFields: the code is wrong.
        """
        known = await self._credentials(user_id)
        account = f"account:{email_key(known.user.email)}"
        await self._charge({account: _BY_ACCOUNT})
        if known.totp_confirmed and not await self._takes_code(known, code):
            raise WrongFields(Fault("code", "wrong", "is wrong, or was used before"))
        await self._guesses.refund([account], self._clock())
        await self._records.remove_totp(user_id)
        logger.info("second factor removed", extra={"user": user_id})

    async def reset_second_factor(self, partner_id: str | None, user_id: str) -> None:
        """Remove another's, who has lost phone and recovery codes; sessions end. Raises `NotFound`."""
        await self._user(partner_id, user_id)
        await self._records.remove_totp(user_id)
        await self._records.end_sessions(user_id)
        logger.info("second factor reset", extra={"user": user_id})

    async def _takes_code(self, known: Credentials, code: str) -> bool:
        """Whether a code is right; it is taken by that."""
        user_id = known.user.user_id
        recovery = second_factor.plain_recovery_code(code)
        if await self._records.take_recovery_code(user_id, hash_of(recovery)):
            logger.warning("recovery code used", extra={"user": user_id})
            return True
        step = self._step(known, code)
        return step is not None and await self._records.take_step(user_id, step)

    def _step(self, known: Credentials, code: str) -> int | None:
        user_id, kept = known.user.user_id, known.totp_secret
        secret = self._box.open(kept, user_id) if self._box and kept else None
        if secret is None:
            logger.error(
                "CMI_SECRET_KEY is not that of this second factor", extra={"user": user_id}
            )
            return None
        return second_factor.step_of(secret, code, self._clock())

    # --- tokens --------------------------------------------------------------------------------------------------

    async def tokens(self, partner_id: str | None) -> tuple[Token, ...]:
        """The tokens of a partner, or (None) those of the retailer's systems. Raises `NotFound`: no such partner."""
        if partner_id is not None:
            await self._partner(partner_id)
        return await self._records.tokens(partner_id)

    async def make_token(
        self,
        role: TokenRole,
        name: str,
        partner_id: str | None = None,
        expires: datetime | None = None,
    ) -> tuple[str, str]:
        """Make a token. Returns its id, and the token itself, which nobody can look up again.

        Raises:
            NotFound: no such partner.
            WrongFields: naming each field that cannot be so.
        """
        _check_belonging(role, partner_id)
        if partner_id is not None:
            await self._partner(partner_id)
        now = self._clock()
        try:
            name = _NewToken(name=name).name
        except ValidationError as error:
            raise _wrong(error) from None
        if expires is not None and expires <= now:
            raise WrongFields(Fault("expires_at", "past", "must be in the future"))
        token = TOKEN_PREFIX + new_secret()
        made = Token(
            token_id=f"tok_{secrets.token_hex(8)}",
            role=role,
            partner_id=partner_id,
            name=name,
            created_at=now,
            last_used_at=None,
            expires_at=expires,
            revoked_at=None,
        )
        await self._records.add_token(made, hash_of(token))
        facts = {"token_id": made.token_id, "role": role, "partner": partner_id}
        logger.info("token made", extra=facts)
        return made.token_id, token

    async def revoke_token(self, partner_id: str | None, token_id: str) -> None:
        """Revoke a token of a partner (None: of the retailer), at once and for ever. Raises `NotFound`."""
        if not await self._records.revoke_token(partner_id, token_id, self._clock()):
            raise NotFound("token")
        logger.info("token revoked", extra={"token_id": token_id})


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


def _place(address: str) -> str:
    """Where guesses come from: an address, or of IPv6 the network, of which everybody has plenty of addresses."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return f"address:{address}"
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is None:
            return f"address:{ipaddress.ip_network((ip, 64), strict=False)}"
        ip = ip.ipv4_mapped
    return f"address:{ip}"


def _check_belonging(role: str, partner_id: str | None) -> None:
    if (role == "partner") != (partner_id is not None):
        message = "must be partner for a partner's login, and only there"
        raise WrongFields(Fault("role", "role", message))


_MESSAGES = {"missing": "is missing", "extra_forbidden": "is not known"}


def _wrong(error: ValidationError) -> WrongFields:
    """Pydantic's errors in our words; what was given is not repeated."""
    return WrongFields(*map(_fault, error.errors()))


def _fault(error: Any) -> Fault:
    field, kind = ".".join(map(str, error["loc"])), error["type"]
    if kind == "value_error":
        message = str(error["ctx"]["error"])
    elif kind == "string_pattern_mismatch" and field.endswith("email"):
        message = "must be an e-mail address"
    else:
        message = _MESSAGES.get(kind) or error["msg"].replace("Input should be", "must be")
    return Fault(field, kind, message)
