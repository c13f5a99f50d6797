"""What a settlement adds up to: its lines, VAT by rate, net and total; and which totals its invoice may have."""

from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime
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
    Percent,
    Sum,
    VatRates,
    amount_of,
    in_order,
    to_five_centimes,
    vat_of,
    vat_percent,
)
from domain.settlements.settlement import Settlement, SettlementStatus
from domain.values import Value


class VatSum(Value):
    """Net and VAT of all lines with one rate."""

    percent: Percent
    net: Sum
    vat: Sum


class SettlementAccount(Value):
    """The lines of one settlement at one moment, and their sums.

    `lines`: the selected orders while it is open, then those that were claimed. `vat_rates` are pinned when it is
    opened, so that all sums follow from the account alone; they are empty if the partner is not liable for VAT, and
    hold for services from the day `vat_liable_from` on, if there is one.

    `rules`: the version of the rules by which VAT is calculated. Under version 1 it is rounded on each line, from
    version 2 on once for each rate, on the sum.
    """

    settlement_id: str
    partner_id: Identifier
    month: Month
    status: SettlementStatus = SettlementStatus.OPEN
    lines: tuple[Line, ...] = ()
    corrections: tuple[CorrectionLine, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    vat_rates: VatRates = ()
    vat_liable_from: date | None = None
    rules: int = 1
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
        """Whether the partner is liable for VAT on the lines, or on some of them."""
        if not self.vat_rates:
            return False
        return self.liable_since is None or any(
            self.percent(line) is not None for line in self.all_lines
        )

    @property
    def liable_since(self) -> date | None:
        """The first day of services with VAT, if lines could be before it; None if all lines have VAT, or none has."""
        return self.vat_liable_from if self.vat_rates and self.rules >= 2 else None

    @property
    def rounds_each_line(self) -> bool:
        """Whether VAT is rounded on each line, as under version 1 of the rules. Then the lines show it."""
        return self.rules < 2

    @property
    def has_several_rates(self) -> bool:
        """Whether the lines have different VAT rates, or only some have VAT."""
        return len({self.percent(line) for line in self.all_lines}) > 1

    def percent(self, line: Line | CorrectionLine) -> Decimal | None:
        """The VAT rate of a line in percent; None if the partner is not liable for VAT on it."""
        day = line.executed_on or self.month.last_day
        if not self.vat_rates or (self.liable_since is not None and day < self.liable_since):
            return None
        return vat_percent(day, self.vat_rates)

    def vat_on(self, line: Line | CorrectionLine) -> Decimal:
        """The VAT on a line alone, rounded to the centime. Under version 1 the settlement's VAT is the sum of these."""
        percent = self.percent(line)
        return NOTHING if percent is None else vat_of(amount_of(line), percent)

    @property
    def net(self) -> Decimal:
        """The sum of all fees and corrections."""
        return sum((amount_of(line) for line in self.all_lines), NOTHING)

    @property
    def vat(self) -> Decimal:
        """The VAT of all lines and corrections: the sum of `vat_sums`."""
        return sum((part.vat for part in self.vat_sums), NOTHING)

    @property
    def total(self) -> Decimal:
        """The total of the statement, which the invoice has to show (`invoice_totals`)."""
        return self.net + self.vat

    @property
    def invoice_totals(self) -> tuple[Decimal, ...]:
        """The totals that an invoice of these lines may have, the statement's first.

        Invoicing programs round the VAT by rate or on each line, and some round the total to 5 centimes. Under version
        1 only the statement's total is right.
        """
        if self.rules < 2:
            return (self.total,)
        by_line = self.net + sum((self.vat_on(line) for line in self.all_lines), NOTHING)
        totals = (self.total, by_line, to_five_centimes(self.total), to_five_centimes(by_line))
        return tuple(dict.fromkeys(totals))

    @property
    def vat_sums(self) -> tuple[VatSum, ...]:
        """Net and VAT by rate, the lowest rate first; empty if the partner is not liable."""
        amounts: dict[Decimal, list[Decimal]] = {}
        for line in self.all_lines:
            percent = self.percent(line)
            if percent is not None:
                amounts.setdefault(percent, []).append(amount_of(line))
        return tuple(
            VatSum(percent=percent, net=sum(of_rate, NOTHING), vat=self._vat_of(of_rate, percent))
            for percent, of_rate in sorted(amounts.items())
        )

    def _vat_of(self, amounts: list[Decimal], percent: Decimal) -> Decimal:
        if self.rounds_each_line:
            return sum((vat_of(amount, percent) for amount in amounts), NOTHING)
        return vat_of(sum(amounts, NOTHING), percent)


def account_of(settlement: Settlement, lines: Iterable[Line]) -> SettlementAccount:
    """The account of a settlement, given the lines of its `picked` orders.

    A statement keeps the rules by which it was made, also if the settlement adopts newer ones afterwards.
    """
    opening, statement = settlement.opening, settlement.statement
    return SettlementAccount(
        settlement_id=settlement.settlement_id,
        partner_id=opening.partner.partner_id,
        month=opening.month,
        status=settlement.status,
        lines=in_order(lines),
        corrections=settlement.corrections,
        left_out=settlement.left_out,
        vat_rates=opening.vat_rates,
        vat_liable_from=opening.vat_liable_from,
        rules=settlement.rules if statement is None else statement.rules,
        opened_at=settlement.opened_at,
        selectable_until=settlement.selectable_until,
        issued_at=settlement.issued_at,
        invoice_due=settlement.invoice_due,
        ended_at=settlement.ended_at,
    )
