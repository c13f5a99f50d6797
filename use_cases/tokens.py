"""The use cases of API tokens: list, make, revoke."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from pydantic import ValidationError

from domain.fields import TextLine
from domain.values import Value
from records.account_notices import Recipient
from records.tokens import TOLD_BEFORE, MakerGone, Token, TokenRole, Tokens
from use_cases.account_errors import Conflict, Fault, NotFound, WrongFields, wrong_fields
from use_cases.account_ids import check_role, random_part
from use_cases.link_mails import hash_of, new_secret
from use_cases.partners import PartnerUseCases
from use_cases.security_events import note

logger = logging.getLogger("cmi.desk")

TOKEN_PREFIX = "cmi_"


class _NewToken(Value):
    name: TextLine


class TokenUseCases:
    """Tokens of partners and of the retailer's systems. `clock` gives the instant.

    No token lasts longer than `longest`; `operations` are told before one ends.
    """

    def __init__(
        self,
        tokens: Tokens,
        partners: PartnerUseCases,
        clock: Callable[[], datetime],
        longest: timedelta,
        operations: Recipient,
    ) -> None:
        self.longest = longest
        self._operations = operations
        self._tokens = tokens
        self._partners = partners
        self._clock = clock

    async def list(self, partner_id: str | None) -> tuple[Token, ...]:
        """The tokens of a partner, or (None) those of the retailer's systems. Raises `NotFound`: no such partner."""
        if partner_id is not None:
            await self._partners.get(partner_id)
        return await self._tokens.list(partner_id)

    def is_over(self, token: Token) -> bool:
        """Whether a token has expired."""
        return token.expires_at is not None and token.expires_at <= self._clock()

    def ends_soon(self, token: Token) -> bool:
        """Whether a token expires within the time in which operations are warned."""
        return token.expires_at is not None and token.expires_at <= self._clock() + TOLD_BEFORE

    async def make(
        self,
        role: TokenRole,
        name: str,
        partner_id: str | None = None,
        expires: datetime | None = None,
        request_id: str | None = None,
        made_by: str | None = None,
    ) -> tuple[str, str]:
        """Make a token, once for a request id. Returns its id and the token itself, which is not stored.

        `made_by`: the caller's `login_person`. The token ends with that login; without `expires` it lasts as long as
        any token may.

        Raises:
            NotFound: no such partner.
            PartnerEnded: it has ended.
            WrongFields: with each invalid field.
            Conflict: this request has made one already, or the maker's login was removed.
        """
        check_role(role, partner_id)
        if partner_id is not None:
            await self._partners.get_with_access(partner_id)
        now = self._clock()
        try:
            name = _NewToken(name=name).name
        except ValidationError as error:
            raise wrong_fields(error) from None
        if expires is not None and expires <= now:
            raise WrongFields(Fault("expires_at", "past", "must be in the future"))
        latest = now + self.longest
        if expires is not None and expires > latest:
            message = f"must be at most {self.longest.days} days from now"
            raise WrongFields(Fault("expires_at", "too_late", message))
        token = TOKEN_PREFIX + new_secret()
        made = Token(
            token_id=f"tok_{random_part(request_id)}",
            role=role,
            partner_id=partner_id,
            name=name,
            created_at=now,
            last_used_at=None,
            expires_at=expires or latest,
            revoked_at=None,
            made_by=made_by,
        )
        try:
            if not await self._tokens.add(made, hash_of(token)):
                raise Conflict("This token was made already, and is shown only once.")
        except MakerGone:
            raise Conflict("The login that makes this token has been removed.") from None
        note("token", "made", about=made.token_id)
        facts = {"token_id": made.token_id, "role": role, "partner": partner_id}
        logger.info("token made", extra=facts)
        return made.token_id, token

    async def revoke(self, partner_id: str | None, token_id: str) -> None:
        """Revoke a token of a partner (None: of the retailer), at once and permanently. Raises `NotFound`."""
        if not await self._tokens.revoke(partner_id, token_id, self._clock()):
            raise NotFound("token")
        note("token", "ended", about=token_id)
        logger.info("token revoked", extra={"token_id": token_id})

    async def tidy(self) -> None:
        """Limit tokens of earlier releases that last too long, and notify operations of tokens that end soon."""
        now = self._clock()
        if bounded := await self._tokens.bound(now + self.longest):
            logger.warning("tokens got an end", extra={"tokens": bounded})
        await self._tokens.tell_of_ends(now, self._operations)
