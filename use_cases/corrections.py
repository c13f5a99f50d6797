"""The use cases of corrections: amounts that operations add to a partner's next settlement."""

import hashlib
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from domain.errors import InvalidCommand
from domain.settlements.corrections import service_day
from domain.settlements.lines import CorrectionLine
from records.corrections import Correction, Corrections
from records.orders import Orders
from records.partners import Partners
from use_cases import access
from use_cases.order_errors import RequestReused
from use_cases.principal import Principal


class UnknownPartner(Exception):
    """There is no such partner."""


class CorrectionUseCases:
    """Adds and lists corrections. `clock` gives the instant."""

    def __init__(
        self,
        corrections: Corrections,
        orders: Orders,
        partners: Partners,
        clock: Callable[[], datetime],
    ) -> None:
        self._corrections = corrections
        self._orders = orders
        self._partners = partners
        self._clock = clock

    async def add(
        self,
        principal: Principal,
        partner_id: str,
        sp_id: str,
        amount: Decimal,
        reason: str,
        request_id: str,
    ) -> Correction:
        """Add an amount, plus or minus, to a partner's next settlement. Idempotent for a request id.

        Raises:
            Forbidden: not for this role.
            UnknownPartner: there is no such partner.
            InvalidCommand: the amount is zero, or the partner neither executed the order nor had it when it was
                cancelled (a trip in vain).
            RequestReused: the request id was used for another correction.
        """
        access.check(principal, "correct")
        if await self._partners.get(partner_id) is None:
            raise UnknownPartner(partner_id)
        if not amount:
            raise InvalidCommand("amount", "amount_is_zero")
        stored = await self._orders.get(sp_id)
        if stored is None or stored.order.partner.partner_id != partner_id:
            raise InvalidCommand("sp_id", "unknown_order")
        day = service_day(stored.order, stored.events)
        if day is None:
            raise InvalidCommand("sp_id", "not_executed")
        line = CorrectionLine(sp_id=sp_id, reason=reason, amount=amount, executed_on=day)
        correction_id = f"cor_{hashlib.sha256(request_id.encode()).hexdigest()[:16]}"
        by = f"operations:{principal.name}"
        kept = await self._corrections.add(correction_id, partner_id, line, by, self._clock())
        if (kept.partner_id, kept.line) != (partner_id, line):
            raise RequestReused(correction_id)
        return kept

    async def of(self, principal: Principal, partner_id: str) -> tuple[Correction, ...]:
        """All corrections of a partner, the oldest first, each with the settlement that took it.

        Raises:
            Forbidden: not for this role.
            UnknownPartner: there is no such partner.
        """
        access.check(principal, "read_corrections")
        if await self._partners.get(partner_id) is None:
            raise UnknownPartner(partner_id)
        return await self._corrections.of(partner_id)
