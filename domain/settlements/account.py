"""What a settlement adds up to: its lines with their VAT, net and total."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Self

from pydantic import model_validator

from domain.fields import Identifier
from domain.months import Month
from domain.settlements.lines import (
    NOTHING,
    CorrectionLine,
    LeftOut,
    Line,
    VatRates,
    amount_of,
    in_order,
    vat_of,
    vat_percent,
)
from domain.settlements.settlement import Settlement, SettlementStatus
from domain.values import Value


class VatSum(Value):
    """Net and VAT of all lines with one rate."""

    percent: Decimal
    net: Decimal
    vat: Decimal


class SettlementAccount(Value):
    """The lines of one settlement at one moment, and their sums.

    `lines`: the selected orders while it is open, then those that were claimed. `vat_rates` are pinned when it is
    opened, so that all sums follow from the account alone; they are empty if the partner is not liable for VAT.
    """

    settlement_id: str
    partner_id: Identifier
    month: Month
    status: SettlementStatus = SettlementStatus.OPEN
    lines: tuple[Line, ...] = ()
    corrections: tuple[CorrectionLine, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    vat_rates: VatRates = ()
    opened_at: datetime
    selectable_until: datetime | None = None
    issued_at: datetime | None = None
    invoice_due: datetime | None = None
    ended_at: datetime | None = None

    @model_validator(mode="after")
    def _each_order_once(self) -> Self:
        """An order is billed or left out, and only once."""
        counted = Counter([line.sp_id for line in self.lines] + [o.sp_id for o in self.left_out])
        twice = sorted(sp_id for sp_id, times in counted.items() if times > 1)
        if twice:
            raise ValueError(f"more than once: {', '.join(twice[:5])}")
        return self

    @property
    def all_lines(self) -> tuple[Line | CorrectionLine, ...]:
        """Lines, then corrections, as the statement lists them."""
        return (*self.lines, *self.corrections)

    @property
    def liable(self) -> bool:
        """Whether the partner is liable for VAT."""
        return bool(self.vat_rates)

    def percent(self, line: Line | CorrectionLine) -> Decimal | None:
        """The VAT rate of a line in percent; None if the partner is not liable."""
        if not self.vat_rates:
            return None
        return vat_percent(line.executed_on or self.month.last_day, self.vat_rates)

    def vat_on(self, line: Line | CorrectionLine) -> Decimal:
        """The VAT on a line, rounded to the centime. The settlement's VAT is the sum of these."""
        percent = self.percent(line)
        return NOTHING if percent is None else vat_of(amount_of(line), percent)

    @property
    def net(self) -> Decimal:
        """The sum of all fees and corrections."""
        return sum((amount_of(line) for line in self.all_lines), NOTHING)

    @property
    def vat(self) -> Decimal:
        """The VAT of all lines and corrections, each rounded."""
        return sum((self.vat_on(line) for line in self.all_lines), NOTHING)

    @property
    def total(self) -> Decimal:
        """The total that the invoice must have."""
        return self.net + self.vat

    @property
    def vat_sums(self) -> tuple[VatSum, ...]:
        """Net and VAT by rate, the lowest rate first; empty if the partner is not liable."""
        sums: dict[Decimal, list[Decimal]] = {}
        for line in self.all_lines:
            percent = self.percent(line)
            if percent is not None:
                of_rate = sums.setdefault(percent, [NOTHING, NOTHING])
                of_rate[0] += amount_of(line)
                of_rate[1] += self.vat_on(line)
        return tuple(
            VatSum(percent=percent, net=net, vat=vat)
            for percent, (net, vat) in sorted(sums.items())
        )


def account_of(settlement: Settlement, lines: Iterable[Line]) -> SettlementAccount:
    """The account of a settlement, given the lines of its `picked` orders."""
    opening = settlement.opening
    return SettlementAccount(
        settlement_id=settlement.settlement_id,
        partner_id=opening.partner.partner_id,
        month=opening.month,
        status=settlement.status,
        lines=in_order(lines),
        corrections=settlement.corrections,
        left_out=settlement.left_out,
        vat_rates=opening.vat_rates,
        opened_at=settlement.opened_at,
        selectable_until=settlement.selectable_until,
        issued_at=settlement.issued_at,
        invoice_due=settlement.invoice_due,
        ended_at=settlement.ended_at,
    )
