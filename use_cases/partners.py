"""The use cases of partners: list, search, add, change."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from records.partners import Partner, Partners
from use_cases.account_errors import Conflict, Fault, NotFound, WrongFields, wrong_fields


class PartnerUseCases:
    """Partners. `clock` gives the instant."""

    def __init__(self, partners: Partners, clock: Callable[[], datetime]) -> None:
        self._partners = partners
        self._clock = clock

    async def list(self) -> tuple[Partner, ...]:
        """All partners, by their id."""
        return await self._partners.list()

    async def search(
        self, q: str, limit: int, after: str | None = None
    ) -> tuple[tuple[Partner, ...], int]:
        """At most `limit` partners after `after` whose id, name, place or e-mail contains a text; how many match."""
        return await self._partners.search(q, limit, after)

    async def add(self, partner: Partner) -> bool:
        """Add a partner. False if the same partner exists already.

        Raises:
            Conflict: another partner has this id.
        """
        if await self._partners.add(partner, self._clock()):
            return True
        if await self._partners.get(partner.partner_id) == partner:
            return False
        raise Conflict(f"There is a partner {partner.partner_id} already, with other content.")

    async def change(self, partner_id: str, changes: Mapping[str, Any]) -> Partner:
        """Change some fields of a partner. Running orders keep their calendar; mails are sent to a new address at once.

        Raises:
            NotFound: no such partner.
            WrongFields: with each invalid field; nothing was changed.
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

    async def get(self, partner_id: str) -> Partner:
        """A partner. Raises `NotFound`."""
        partner = await self._partners.get(partner_id)
        if partner is None:
            raise NotFound("partner")
        return partner
