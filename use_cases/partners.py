"""The use cases of partners: list, search, add, change; a second person confirms a changed IBAN."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from records.iban_changes import COMMAND_LINE, IbanChange, IbanChanges, Person
from records.partners import Partner, Partners
from use_cases.account_errors import Conflict, Fault, NotFound, WrongFields, wrong_fields
from use_cases.partner_numbers import canonical


class PartnerUseCases:
    """Partners. `clock` gives the instant. `tell` starts to send the mails about changed IBANs, which are stored."""

    def __init__(
        self,
        partners: Partners,
        clock: Callable[[], datetime],
        changes: IbanChanges | None = None,
        tell: Callable[[], None] = lambda: None,
    ) -> None:
        self._partners = partners
        self._clock = clock
        self._changes = changes
        self._tell = tell

    async def list(self) -> tuple[Partner, ...]:
        """All partners, by their id."""
        return await self._partners.list()

    async def search(
        self, q: str, limit: int, after: str | None = None
    ) -> tuple[tuple[Partner, ...], int]:
        """At most `limit` partners after `after` whose id, name, place or e-mail contains a text; how many match."""
        return await self._partners.search(q, limit, after)

    async def add(self, partner: Partner, by: Person = COMMAND_LINE) -> bool:
        """Add a partner. False if the same partner exists already. `by`: who adds it.

        Raises:
            Conflict: another partner has this id.
            WrongFields: its UID or IBAN is invalid.
        """
        partner = Partner.model_validate(canonical(partner.model_dump()))
        if await self._partners.add(partner, self._clock(), by):
            return True
        if await self._partners.get(partner.partner_id) == partner:
            return False
        raise Conflict(f"There is a partner {partner.partner_id} already, with other content.")

    async def change(
        self, partner_id: str, changes: Mapping[str, Any], by: Person = COMMAND_LINE
    ) -> Partner:
        """Change some fields of a partner. Running orders keep their calendar; mails are sent to a new address at once.

        A changed IBAN waits until another person than `by` confirms it (`decide_iban`), except a partner's first one.
        The partner is told at the address that it had.

        Raises:
            NotFound: no such partner.
            WrongFields: with each invalid field; nothing was changed.
        """
        if changes.get("partner_id", partner_id) != partner_id:
            raise WrongFields(Fault("partner_id", "fixed", "cannot be changed"))
        try:
            changed = await self._partners.change(partner_id, canonical(changes), self._clock(), by)
        except ValidationError as error:
            raise wrong_fields(error) from None
        if changed is None:
            raise NotFound("partner")
        if "iban" in changes:
            self._tell()
        return changed

    # --- changed IBANs -----------------------------------------------------------------------------------------------

    async def pending_ibans(self) -> dict[str, IbanChange]:
        """The changed IBANs that wait for a second person, by the id of the partner."""
        return await self._iban_changes.pending()

    async def iban_history(self, partner_id: str) -> tuple[IbanChange, ...]:
        """All changes of a partner's IBAN, the newest first. Raises `NotFound`."""
        await self.get(partner_id)
        return await self._iban_changes.of(partner_id)

    async def decide_iban(
        self, partner_id: str, change_id: str, *, confirm: bool, by: Person
    ) -> Partner:
        """Confirm a changed IBAN, so that it is in force, or refuse it. Returns the partner afterwards.

        Raises:
            NotFound: no such partner.
            SamePerson: who changed it wants to confirm it.
            NotPending: there is no such change, or something else was decided about it.
        """
        await self.get(partner_id)
        await self._iban_changes.decide(
            partner_id, change_id, confirm=confirm, by=by, now=self._clock()
        )
        self._tell()
        return await self.get(partner_id)

    @property
    def _iban_changes(self) -> IbanChanges:
        assert self._changes is not None, "these use cases were made without the history of IBANs"
        return self._changes

    async def get(self, partner_id: str) -> Partner:
        """A partner. Raises `NotFound`."""
        partner = await self._partners.get(partner_id)
        if partner is None:
            raise NotFound("partner")
        return partner
