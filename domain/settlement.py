"""The monthly settlement: its month, its number, what is billed in it, and what it adds up to (DESIGN 4)."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    model_validator,
)

from domain.calendar import Calendar
from domain.order import CENTIME, Identifier, Money, Placement, Reason, Status
from domain.order import Line as Text
from domain.policy import Policy
from domain.settlement_id import Month, settlement_id
from domain.values import Value

# --- money ----------------------------------------------------------------------------------------


def _money_is_text(raw: Any) -> Any:
    if isinstance(raw, float | bool):
        raise ValueError('money is written as a string, "-129.00"')
    return raw


def _signed_centimes(amount: Decimal) -> Decimal:
    if not amount.is_finite() or amount != amount.quantize(CENTIME, ROUND_HALF_UP):
        raise ValueError("money has at most two decimals")
    return amount.quantize(CENTIME) or Decimal("0.00")  # Decimal knows a minus zero


Amount = Annotated[
    Decimal,
    BeforeValidator(_money_is_text),
    Field(max_digits=10),
    AfterValidator(_signed_centimes),
    PlainSerializer(str, return_type=str, when_used="json"),
]
"""CHF in whole centimes, plus or minus."""

_NOTHING = Decimal("0.00")


class VatRate(Value):
    """The percentage that holds from a day on."""

    since: date
    percent: Annotated[
        Decimal, Field(ge=0, lt=100), PlainSerializer(str, return_type=str, when_used="json")
    ]


VatRates = tuple[VatRate, ...]

VAT_RATES: VatRates = (
    VatRate(since=date(2018, 1, 1), percent=Decimal("7.7")),
    VatRate(since=date(2024, 1, 1), percent=Decimal("8.1")),
)
"""The Swiss standard rate. The earliest also holds for the days before it."""


def vat_percent(day: date, rates: VatRates) -> Decimal:
    """The percentage that holds on a day. Raises `ValueError` if there are no rates."""
    if not rates:
        raise ValueError("expected one rate or more")
    in_order = sorted(rates, key=lambda rate: rate.since)
    holding = [rate for rate in in_order if rate.since <= day]
    return (holding or in_order)[-1 if holding else 0].percent


def vat_of(amount: Decimal, percent: Decimal) -> Decimal:
    """The tax on an amount, half a centime rounded up (away from zero, so that minus undoes plus)."""
    return (amount * percent / 100).quantize(CENTIME, ROUND_HALF_UP) or _NOTHING


# --- what is billed -------------------------------------------------------------------------------


class Line(Value):
    """One order that is billed. `fee` is net."""

    sp_id: Identifier
    sales_order_id: Text
    executed_on: date
    service: Text
    customer_place: Text
    fee: Money


class CorrectionLine(Value):
    """An amount (net) that operations add, plus or minus, for an order of an earlier settlement.

    `executed_on` is that order's, whose rate of VAT then holds; without it the rate of the month's last day does.
    """

    sp_id: Identifier
    reason: Reason
    amount: Amount
    executed_on: date | None = None


LeftOutReason = Literal[
    "not_yours", "not_completed", "cancelled", "billed", "unknown", "unavailable"
]
"""Why an order is not in a settlement: it belongs to another partner, it is not completed (any more), it was cancelled,
another settlement billed it, there is no such order, or its workflow was ended by force and has to be revived."""


class LeftOut(Value):
    """An order that was picked, and refused."""

    sp_id: str
    reason: LeftOutReason


class VatSum(Value):
    """What one rate of VAT comes to."""

    percent: Decimal
    net: Decimal
    vat: Decimal


class SettlementStatus(StrEnum):
    """`open`: the selection can be changed. `closing`: orders are claimed. `issued`: the statement exists, the invoice
    is awaited. `invoiced` and `void` are final."""

    OPEN = "open"
    CLOSING = "closing"
    ISSUED = "issued"
    INVOICED = "invoiced"
    VOID = "void"


_NEXT: Mapping[SettlementStatus, tuple[SettlementStatus, ...]] = {
    SettlementStatus.OPEN: (SettlementStatus.CLOSING, SettlementStatus.VOID),
    SettlementStatus.CLOSING: (SettlementStatus.ISSUED,),
    SettlementStatus.ISSUED: (SettlementStatus.INVOICED, SettlementStatus.VOID),
    SettlementStatus.INVOICED: (),
    SettlementStatus.VOID: (),
}


class SettlementRefused(Exception):
    """Something that a settlement does not allow now.

    Attributes:
        code: `wrong_state`, or `too_late` for a selection after its time.
        status: the state that refused.
    """

    def __init__(self, code: Literal["wrong_state", "too_late"], status: SettlementStatus) -> None:
        self.code = code
        self.status = status
        super().__init__(f"{code} in state {status}")


class Settlement(Value):
    """The orders of one partner that are billed together, at one moment.

    `lines` are the picked ones while it is open, then those that were claimed. `vat_rates` are pinned when it is
    opened, and empty for a partner that is not liable; so everything it adds up to follows from what is in it.
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
        """An order is billed or left out, once; also a copy of a list must not bill it twice."""
        counted = Counter([line.sp_id for line in self.lines] + [o.sp_id for o in self.left_out])
        twice = sorted(sp_id for sp_id, times in counted.items() if times > 1)
        if twice:
            raise ValueError(f"more than once: {', '.join(twice[:5])}")
        return self

    @property
    def all_lines(self) -> tuple[Line | CorrectionLine, ...]:
        """Lines and corrections, as they are listed and added up."""
        return (*self.lines, *self.corrections)

    @property
    def liable(self) -> bool:
        """Whether the partner owes VAT."""
        return bool(self.vat_rates)

    def percent(self, line: Line | CorrectionLine) -> Decimal | None:
        """The rate of VAT of a line; None if the partner is not liable."""
        if not self.vat_rates:
            return None
        return vat_percent(line.executed_on or self.month.last_day, self.vat_rates)

    def vat_on(self, line: Line | CorrectionLine) -> Decimal:
        """The VAT on a line, rounded to the centime: these add up to the whole (DESIGN 4)."""
        percent = self.percent(line)
        return _NOTHING if percent is None else vat_of(amount_of(line), percent)

    @property
    def net(self) -> Decimal:
        """All fees and corrections."""
        return sum((amount_of(line) for line in self.all_lines), _NOTHING)

    @property
    def vat(self) -> Decimal:
        """The VAT of all lines and corrections, each rounded."""
        return sum((self.vat_on(line) for line in self.all_lines), _NOTHING)

    @property
    def total(self) -> Decimal:
        """What the invoice has to come to."""
        return self.net + self.vat

    @property
    def vat_sums(self) -> tuple[VatSum, ...]:
        """Net and VAT by rate, the lowest rate first; empty if the partner is not liable."""
        sums: dict[Decimal, list[Decimal]] = {}
        for line in self.all_lines:
            percent = self.percent(line)
            if percent is not None:
                of_rate = sums.setdefault(percent, [_NOTHING, _NOTHING])
                of_rate[0] += amount_of(line)
                of_rate[1] += self.vat_on(line)
        return tuple(
            VatSum(percent=percent, net=net, vat=vat)
            for percent, (net, vat) in sorted(sums.items())
        )

    def select(self, lines: Sequence[Line], now: datetime) -> "Settlement":
        """With these orders picked. Raises `SettlementRefused` when it is not open (any more)."""
        self._check(SettlementStatus.OPEN)
        if self.selectable_until is not None and now > self.selectable_until:
            raise SettlementRefused("too_late", self.status)
        return self._changed(lines=in_order(lines))

    def close(self) -> "Settlement":
        """With the selection closed; orders are claimed from now on."""
        return self._to(SettlementStatus.CLOSING)

    def issue(
        self, answers: Mapping[str, LeftOutReason | None], now: datetime, due: datetime
    ) -> "Settlement":
        """With the orders that agreed, and the others left out. `answers` and errors: `partition`."""
        claimed, left_out = partition(self.lines, answers)
        return self._to(
            SettlementStatus.ISSUED,
            lines=claimed,
            left_out=(*self.left_out, *left_out),
            issued_at=now,
            invoice_due=due,
        )

    def invoiced(self, now: datetime) -> "Settlement":
        """With the partner's invoice accepted."""
        return self._to(SettlementStatus.INVOICED, ended_at=now)

    def void(self, now: datetime) -> "Settlement":
        """Taken back, which is possible until it is invoiced; its orders are free again."""
        return self._to(SettlementStatus.VOID, ended_at=now)

    def _to(self, status: SettlementStatus, **changes: Any) -> "Settlement":
        if status not in _NEXT[self.status]:
            raise SettlementRefused("wrong_state", self.status)
        return self._changed(status=status, **changes)

    def _check(self, status: SettlementStatus) -> None:
        if self.status != status:
            raise SettlementRefused("wrong_state", self.status)

    def _changed(self, **changes: Any) -> "Settlement":
        """A checked copy; `model_copy` checks nothing."""
        return Settlement(
            **{**{name: getattr(self, name) for name in type(self).model_fields}, **changes}
        )


def amount_of(line: Line | CorrectionLine) -> Decimal:
    """A line's net amount."""
    return line.fee if isinstance(line, Line) else line.amount


def in_order(lines: Iterable[Line]) -> tuple[Line, ...]:
    """Lines as a settlement lists them: by day of execution, then by SP-ID."""
    return tuple(sorted(lines, key=lambda line: (line.executed_on, line.sp_id)))


def open_settlement(
    partner_id: str,
    month: Month,
    lines: Sequence[Line],
    now: datetime,
    *,
    corrections: Sequence[CorrectionLine] = (),
    vat_rates: VatRates = (),
    selectable_until: datetime | None = None,
) -> Settlement:
    """A new settlement with these orders picked. `vat_rates` only of a partner with a VAT number.

    Without `selectable_until` the selection ends when somebody closes it.
    """
    return Settlement(
        settlement_id=settlement_id(partner_id, month),
        partner_id=partner_id,
        month=month,
        lines=in_order(lines),
        corrections=tuple(corrections),
        vat_rates=tuple(vat_rates),
        opened_at=now,
        selectable_until=selectable_until,
    )


# --- rules ----------------------------------------------------------------------------------------


def obstacle(
    owner: str, status: Status, billed_by: str | None, partner_id: str, settlement: str
) -> LeftOutReason | None:
    """Why a partner may not bill an order in a settlement; None if it may.

    Of the order: whose it is, its state, and the settlement that billed it. That this very one has is no obstacle:
    asking again is allowed.
    """
    if owner != partner_id:
        return "not_yours"
    match status:
        case Status.COMPLETED:
            return None
        case Status.BILLED:
            return None if billed_by == settlement else "billed"
        case Status.CANCELLED:
            return "cancelled"
        case _:
            return "not_completed"


def line_of(placed: Placement, executed_on: date) -> Line:
    """The line of an order that was executed."""
    place = f"{placed.customer.postal_code} {placed.customer.city}"
    return Line(
        sp_id=placed.sp_id,
        sales_order_id=placed.sales_order_id,
        executed_on=executed_on,
        service=placed.service.name,
        customer_place=place[:200].strip(),
        fee=placed.service.fee,
    )


def partition(
    lines: Iterable[Line], answers: Mapping[str, LeftOutReason | None]
) -> tuple[tuple[Line, ...], tuple[LeftOut, ...]]:
    """The lines whose orders agreed to be billed, and the others with what they answered.

    Raises `ValueError` if an order has not answered: it must not be lost, and not be billed on a guess.
    """
    lines = tuple(lines)
    silent = [line.sp_id for line in lines if line.sp_id not in answers]
    if silent:
        raise ValueError(f"no answer from {', '.join(silent[:5])}")
    claimed = tuple(line for line in lines if answers[line.sp_id] is None)
    left_out = tuple(
        LeftOut(sp_id=line.sp_id, reason=reason)
        for line in lines
        if (reason := answers[line.sp_id]) is not None
    )
    return claimed, left_out


def selection_end(opened_at: datetime, policy: Policy, calendar: Calendar) -> datetime:
    """Until when orders can be picked and unpicked in a settlement that was opened for the partner."""
    return calendar.due(opened_at, policy.settlement.select_within)


def invoice_due(issued_at: datetime, policy: Policy, calendar: Calendar) -> datetime:
    """When a reminder follows if no invoice came (and the next one, reckoned from there)."""
    return calendar.due(issued_at, policy.settlement.invoice_within)
