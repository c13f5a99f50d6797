"""What a settlement bills: lines, corrections, what was left out; money and the VAT on it."""

from collections.abc import Iterable
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
)

from domain.fields import CENTIME, Identifier, Money, Reason
from domain.fields import TextLine as Text
from domain.orders.order import Order, Placement, Status
from domain.values import OPEN, Value

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

NOTHING = Decimal("0.00")


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
    return (amount * percent / 100).quantize(CENTIME, ROUND_HALF_UP) or NOTHING


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
    reason: Annotated[LeftOutReason, OPEN]


def amount_of(line: Line | CorrectionLine) -> Decimal:
    """A line's net amount."""
    return line.fee if isinstance(line, Line) else line.amount


def in_order(lines: Iterable[Line]) -> tuple[Line, ...]:
    """Lines as a settlement lists them: by day of execution, then by SP-ID."""
    return tuple(sorted(lines, key=lambda line: (line.executed_on, line.sp_id)))


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


def line_of_order(order: Order) -> Line | None:
    """What a settlement bills of an order; None of one that was not executed."""
    if order.executed_on is None:
        return None
    return line_of(order.intake.placement, order.executed_on)


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
