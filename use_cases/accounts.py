"""The use cases of logins; partners, tokens and sessions are its attributes (docs/accounts.md)."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from domain.people import PartnerRole
from domain.values import Language
from records.account_notices import Recipient
from records.accounts import AccountRecords, Credentials, User, UserRole
from records.database import Database
from records.iban_changes import IbanChanges
from records.links import Links
from records.mails import MailedPurpose
from records.partners import Partners
from records.tokens import Tokens
from settings import Settings
from use_cases.account_errors import (
    Conflict,
    Fault,
    LinkUnusable,
    NotFound,
    WrongFields,
)
from use_cases.account_ids import check_role, new_user, random_part
from use_cases.account_mails import AccountMails
from use_cases.callers import Callers
from use_cases.link_mails import PATIENCE, LinkMails, PreparedLink, hash_of
from use_cases.partners import PartnerUseCases
from use_cases.passwords import Passwords, weakness
from use_cases.resets import Resets
from use_cases.second_factor import SecondFactor
from use_cases.security_events import Recorder, note, throttling_noted
from use_cases.sessions import SessionUseCases
from use_cases.throttle import Throttle
from use_cases.tokens import TokenUseCases
from use_cases.traces import Traces

logger = logging.getLogger("cmi.desk")

_HOUSEKEEPING, _TIDYING = 30.0, 120  # seconds; rounds of it
_NOT_THE_PASSWORD = Fault("former", "wrong", "is not the password until now")


class FirstLogin(NamedTuple):
    """An operations login made on the command line, its invitation link, and whether the link was mailed, too."""

    user: User
    link: str
    mailed: bool


class Accounts:
    """Logins of partners and staff: invitations, passwords, sessions. Each process has one, and closes it at its end.

    `keep_house` must run in at least one process, so that pending mails are retried.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._clock = clock
        self._operations = Recipient(
            "operations", settings.mail_operations, "", settings.operations_language, True
        )
        policies = settings.load_policies()
        zone = ZoneInfo(policies.standard.office.timezone)
        self.recorder = Recorder(database, settings, zone, clock)
        self.traces = Traces(database, self.recorder.pseudonyms)
        partners, iban_changes = Partners(database), IbanChanges(database)
        self.partners = PartnerUseCases(
            partners,
            clock,
            policies.named.keys(),
            iban_changes,
            self._tell,
        )
        self._records = AccountRecords(database)
        tokens = Tokens(database)
        self.tokens = TokenUseCases(
            tokens, self.partners, clock, settings.longest_token, self._operations
        )
        self.callers = Callers(tokens, self._records, settings, clock)
        self._throttle = Throttle(database, clock)
        self.second_factor = SecondFactor(
            settings, self._records, self._throttle, clock, self._tell
        )
        self._links = Links(database)
        self._link_mails = LinkMails(settings, database, clock)
        self._mails = AccountMails(database, partners, iban_changes, self._link_mails, zone, clock)
        self.resets = Resets(self._records, self._throttle, self._link_mails, clock)
        # The outbox of this process, which must have only one.
        self.outbox, self.spawn = self._link_mails.outbox, self._link_mails.spawn
        self._passwords = Passwords()
        self.sessions = SessionUseCases(
            self._records, self._links, self.second_factor, self._throttle, self._passwords, clock
        )
        self._language = settings.operations_language

    async def close(self) -> None:
        """Wait for running mails, and for pending writes of when logins were used."""
        await self._link_mails.close()
        await self.callers.noted()
        await self.recorder.written()

    async def keep_house(self) -> None:
        """Run forever: send pending mails and delete expired rows. Several processes may run it."""
        turn = 0
        while True:
            try:
                # Do not cancel a running SMTP conversation: `close` waits for it.
                await asyncio.shield(self._link_mails.spawn(self.send_due_mails()))
                if turn % _TIDYING == 0:
                    await self.tidy()
            except Exception as error:  # tried again; its text may contain personal data
                logger.warning("no housekeeping", extra={"why": type(error).__name__})
            turn += 1
            await asyncio.sleep(_HOUSEKEEPING)

    async def send_due_mails(self) -> int:
        """Send the mails with links and notices that are due. Returns how many were sent."""
        return await self._mails.send_due()

    def _tell(self) -> None:
        """Start to send notices that were just stored."""
        self._mails.tell()

    async def tidy(self) -> None:
        """Delete expired sessions, links and old login attempts; limit tokens, and notify of those that end soon."""
        now = self._clock()
        await self._records.tidy(now)
        await self._links.tidy(now)
        await self._throttle.tidy()
        self.callers.tidy()
        await self.tokens.tidy()

    # --- users ---------------------------------------------------------------------------------------------------

    async def users(self, partner_id: str | None) -> tuple[User, ...]:
        """The logins of a partner, or (None) those of the retailer's staff. Raises `NotFound`: no such partner."""
        if partner_id is not None:
            await self.partners.get(partner_id)
        return await self._records.users(partner_id, self._clock())

    async def invite(
        self,
        partner_id: str | None,
        role: UserRole,
        email: str,
        name: str,
        language: Language | None = None,
        request_id: str | None = None,
        *,
        partner_role: PartnerRole = "office",
    ) -> User:
        """Make a login and mail its invitation: a link that works once, for 72 hours. Idempotent for a request id.

        If the mail server is away, the user's `invitation` is `waiting` and the mail is sent later. The default
        language is that of the partner, or of operations.

        Raises:
            NotFound: no such partner.
            PartnerEnded: it has ended.
            WrongFields: with each field that is invalid.
            Conflict: another login has the address.
        """
        user_id = f"usr_{random_part(request_id)}"
        try:
            user, link = await self._add_user(
                partner_id, role, email, name, language, user_id, partner_role=partner_role
            )
        except Conflict:
            known = await self._records.by_email(email, self._clock())
            if known is None or known.user.user_id != user_id:
                raise
            return known.user
        await _wait_a_moment(self._link_mails.start_sending(user, link))
        return await self.user(partner_id, user.user_id)

    async def invite_again(self, partner_id: str | None, user_id: str) -> User:
        """Mail a new invitation; the former link no longer works.

        Raises:
            NotFound: no such user there.
            PartnerEnded: its partner has ended.
            Conflict: the invitation was accepted.
        """
        user = await self.user(partner_id, user_id)
        if partner_id is not None:
            await self.partners.get_with_access(partner_id)
        if user.invitation == "accepted":
            raise Conflict("The invitation was accepted already.")
        if sending := await self._link_mails.issue(user, "invitation"):
            await _wait_a_moment(sending)
        return await self.user(partner_id, user_id)

    async def first_operations_login(self, email: str, name: str | None = None) -> FirstLogin:
        """Make an operations login from the command line. The link is returned in case mail does not work yet.

        Raises:
            WrongFields: `email` is not an e-mail address.
            Conflict: another login has the address.
        """
        user, link = await self._add_user(
            None,
            "operations",
            email,
            name or email.strip(),
            None,
            f"usr_{random_part(None)}",
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
        partner_role: PartnerRole = "office",
    ) -> tuple[User, PreparedLink]:
        """Add a login, its invitation and the pending mail in one transaction."""
        check_role(role, partner_id)
        standard = self._language
        if partner_id is not None:
            standard = (await self.partners.get_with_access(partner_id)).language
        new = new_user(email, name, language or standard)
        link = self._link_mails.prepare(user_id, new.email, "invitation", only_once=mail_once)
        now = self._clock()
        added = await self._records.add_user(
            user_id, role, partner_id, *new, now, link.row, partner_role
        )
        if not added:
            raise Conflict("There is a login with this e-mail address already.")
        note("login", "made", about=user_id)
        logger.info("login made", extra={"user": user_id, "role": role, "partner": partner_id})
        return await self.user(partner_id, user_id), link

    async def remove_user(
        self, partner_id: str | None, user_id: str, office_of: str | None = None
    ) -> None:
        """Remove a login of a partner (None: of staff), and end its sessions and the tokens that it made.

        Operations get a mail about these tokens. Raises `NotFound`; `LastOffice` (`Leaving.remove_user`).
        """
        await self.user(partner_id, user_id)
        leaving = self._records.leaving
        for token in await leaving.remove_user(user_id, self._clock(), self._operations, office_of):
            note("token", "ended", about=token.token_id)
            facts = {"token_id": token.token_id, "user": user_id}
            logger.warning("token ended with the login of its maker", extra=facts)
        self._tell()
        note("login", "removed", about=user_id)
        logger.info("login removed", extra={"user": user_id})

    async def set_language(self, user_id: str, language: Language) -> None:
        """Set the user's language."""
        await self._records.set_language(user_id, language)

    async def user(self, partner_id: str | None, user_id: str) -> User:
        """A login of a partner (None: of staff). Raises `NotFound`."""
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
        """The user and the purpose of a mailed link. The link stays usable. Raises `LinkUnusable`."""
        now = self._clock()
        link = await self._links.find(hash_of(secret), now)
        known = await self._records.by_id(link.user_id, now) if link else None
        if link is None or known is None or link.purpose == "second_factor":
            raise LinkUnusable()
        return known.user, link.purpose

    async def accept_invitation(self, secret: str, password: str) -> User:
        """Set the password by the link of an invitation or a reset. The link is used up, and the user's sessions end.

        Raises:
            LinkUnusable: the link is unknown, used or expired.
            WrongFields: the password is too weak; the link can be used again.
        """
        user, _ = await self.open_link(secret)
        hashed = await self._hash_strong(user, password)
        passwords = self._records.passwords
        if await passwords.use_link(hash_of(secret), hashed, self._clock()) is None:
            raise LinkUnusable()
        self._tell()
        await self._throttle.was_right(user.email)
        note("password", "set", user.user_id)
        logger.info("password set", extra={"user": user.user_id})
        return user

    async def change_password(self, user_id: str, former: str, password: str) -> None:
        """Change the password, given the former one. All sessions of the user end, also the caller's.

        Raises:
            Throttled: too many attempts.
            WrongFields: `former` is wrong, or `password` too weak.
        """
        known = await self._credentials(user_id)
        with throttling_noted("password", user_id):
            await self._throttle.guess(known.user.email)
        right, _ = await self._passwords.check(former, known.password_hash)
        if not right:
            note("password", "failed", user_id)
            raise WrongFields(_NOT_THE_PASSWORD)
        await self._throttle.was_right(known.user.email)
        hashed = await self._hash_strong(known.user, password)
        checked, now = known.password_hash, self._clock()
        if not await self._records.passwords.set(user_id, hashed, now, former=checked):
            raise WrongFields(_NOT_THE_PASSWORD)  # it was changed meanwhile
        self._tell()
        note("password", "changed", user_id)
        logger.info("password set", extra={"user": user_id})

    async def _hash_strong(self, user: User, password: str) -> str:
        weak = weakness(password, user.email, user.name)
        if weak is not None:
            raise WrongFields(Fault("password", *weak))
        return await self._passwords.hash(password)


async def _wait_a_moment(sending: asyncio.Task[bool]) -> None:
    """Give the mail server a moment to take a mail."""
    await asyncio.wait({sending}, timeout=PATIENCE)
