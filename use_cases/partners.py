"""The use cases of partners: list, search, add, change and end; a second person confirms a changed IBAN."""

import logging
from collections.abc import Awaitable, Callable, Collection, Container, Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from domain.errors import InvalidCommand
from records.iban_changes import COMMAND_LINE, IbanChange, IbanChanges, Person
from records.partners import Partner, Partners, PartnerStatus
from use_cases.account_errors import (
    Conflict,
    Fault,
    NotFound,
    PartnerEnded,
    WrongFields,
    wrong_fields,
)
from use_cases.partner_numbers import canonical
from use_cases.security_events import note

logger = logging.getLogger("cmi.desk")

SENSITIVE_FIELDS = frozenset({"iban", "email", "escalation_email"})
"""Where a partner's money and mails go. Whoever changes one confirms it first, and the partner is told by mail."""


def check_gets_orders(partner: Partner | None) -> Partner:
    """The partner, if a new order may be given to it: by placing it, or by reassigning one.

    Raises:
        InvalidCommand: there is no such partner, it is paused, or it has ended.
    """
    if partner is None:
        raise InvalidCommand("partner_id", "unknown_partner")
    match partner.status:
        case "active":
            return partner
        case "paused":
            raise InvalidCommand("partner_id", "partner_paused")
        case "ended":
            raise InvalidCommand("partner_id", "partner_ended")


def check_policy(name: str | None, policies: Container[str]) -> None:
    """Raise `WrongFields` if a partner is to have a policy that does not exist. None is the standard one."""
    if name is not None and name not in policies:
        raise WrongFields(Fault("policy", "unknown_policy", "there is no policy with this name"))


class PartnerUseCases:
    """Partners. `clock` gives the instant, `policies` are the names of the policies that a partner may have.
    `tell` starts to send the mails about changed IBANs, which are stored.

    `release_orders` is called with the id of a partner that has ended, after its end is stored: its open orders need
    another partner. It is called again whenever the end is sent again, so it must be idempotent.
    """

    def __init__(
        self,
        partners: Partners,
        clock: Callable[[], datetime],
        policies: Collection[str] = (),
        changes: IbanChanges | None = None,
        tell: Callable[[], None] = lambda: None,
    ) -> None:
        self._partners = partners
        self._clock = clock
        self.policies = policies
        self._changes = changes
        self._tell = tell
        self.release_orders: Callable[[str], Awaitable[None]] = _no_orders

    async def list(self, status: PartnerStatus | None = None) -> tuple[Partner, ...]:
        """All partners, or those with this status, by their id."""
        return await self._partners.list(status)

    async def search(
        self, q: str, limit: int, after: str | None = None, status: PartnerStatus | None = None
    ) -> tuple[tuple[Partner, ...], int]:
        """At most `limit` partners after `after` whose id, name, place or e-mail contains a text; how many match.

        `status` leaves out those that have another one.
        """
        return await self._partners.search(q, limit, after, status)

    async def add(self, partner: Partner, by: Person = COMMAND_LINE) -> bool:
        """Add a partner. False if the same partner exists already. `by`: who adds it.

        Raises:
            Conflict: another partner has this id.
            WrongFields: its UID or IBAN is invalid, or there is no policy with its name.
        """
        check_policy(partner.policy, self.policies)
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

        If its status becomes `ended`, its sessions and links end, its tokens are revoked, and its open orders are
        released (`release_orders`). Another status lets its users log in again, but brings no token back.

        Raises:
            NotFound: no such partner.
            WrongFields: with each invalid field; nothing was changed.
        """
        if changes.get("partner_id", partner_id) != partner_id:
            raise WrongFields(Fault("partner_id", "fixed", "cannot be changed"))
        try:
            changed = await self._partners.change(
                partner_id, canonical(_known(changes, self.policies)), self._clock(), by
            )
        except ValidationError as error:
            raise wrong_fields(error) from None
        if changed is None:
            raise NotFound("partner")
        if "iban" in changes:
            note("iban_change", "asked", about=partner_id)
        if changes.keys() & SENSITIVE_FIELDS:
            self._tell()
        if "status" in changes:
            note("partner", "ended" if changed.status == "ended" else "changed", about=partner_id)
            logger.info("partner status", extra={"partner": partner_id, "status": changed.status})
            if changed.status == "ended":
                await self.release_orders(partner_id)
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
        note("iban_change", "confirmed" if confirm else "refused", about=partner_id)
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

    async def get_with_access(self, partner_id: str) -> Partner:
        """A partner that may have logins and tokens. Raises `NotFound`, or `PartnerEnded`."""
        partner = await self.get(partner_id)
        if partner.status == "ended":
            raise PartnerEnded()
        return partner


def _known(changes: Mapping[str, Any], policies: Container[str]) -> Mapping[str, Any]:
    name = changes.get("policy")
    if name is None or isinstance(name, str):
        check_policy(name, policies)
    return changes


async def _no_orders(partner_id: str) -> None:
    """For processes without Temporal: a web process releases the orders (ended_partners.py)."""
