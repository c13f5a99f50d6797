"""What a settlement bills: lines, corrections, orders left out; amounts and VAT."""

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
from domain.orders.order import Order, Status
from domain.orders.placement import Placement
from domain.values import OPEN, Value

# --- money ----------------------------------------------------------------------------------------


def _money_is_text(raw: Any) -> Any:
    if isinstance(raw, float | bool):
        raise ValueError('money is written as a string, "-129.00"')
    return raw


def _signed_centimes(amount: Decimal) -> Decimal:
    if not amount.is_finite() or amount != amount.quantize(CENTIME, ROUND_HALF_UP):
        raise ValueError("money has at most two decimals")
    return amount.quantize(CENTIME) or Decimal("0.00")  # no minus zero


Amount = Annotated[
    Decimal,
    BeforeValidator(_money_is_text),
    Field(max_digits=10),
    AfterValidator(_signed_centimes),
    PlainSerializer(str, return_type=str, when_used="json"),
]
"""CHF in whole centimes, positive or negative."""
Sum = Annotated[
    Decimal,
    BeforeValidator(_money_is_text),
    AfterValidator(_signed_centimes),
    PlainSerializer(str, return_type=str, when_used="json"),
]
"""A sum of amounts, of any number of digits."""

NOTHING = Decimal("0.00")


Percent = Annotated[
    Decimal, Field(ge=0, lt=100), PlainSerializer(str, return_type=str, when_used="json")
]


class VatRate(Value):
    """The VAT rate that applies from a day on."""

    since: date
    percent: Percent


VatRates = tuple[VatRate, ...]

VAT_RATES: VatRates = (
    VatRate(since=date(2018, 1, 1), percent=Decimal("7.7")),
    VatRate(since=date(2024, 1, 1), percent=Decimal("8.1")),
)
"""The Swiss standard rate. The earliest also applies to all days before it."""


def vat_percent(day: date, rates: VatRates) -> Decimal:
    """The VAT rate in percent on a day. Raises `ValueError` if there are no rates."""
    if not rates:
        raise ValueError("expected one rate or more")
    in_order = sorted(rates, key=lambda rate: rate.since)
    holding = [rate for rate in in_order if rate.since <= day]
    return (holding or in_order)[-1 if holding else 0].percent


def vat_of(amount: Decimal, percent: Decimal) -> Decimal:
    """The VAT on an amount. Half a centime is rounded away from zero, so that minus cancels plus."""
    return (amount * percent / 100).quantize(CENTIME, ROUND_HALF_UP) or NOTHING


def to_five_centimes(amount: Decimal) -> Decimal:
    """The amount rounded to 5 centimes (Rappen), as it is paid in cash."""
    return (amount * 20).quantize(Decimal(1), ROUND_HALF_UP) * 5 * CENTIME or NOTHING


# --- what is billed -------------------------------------------------------------------------------


class Line(Value):
    """One billed order. `fee` is net."""

    sp_id: Identifier
    sales_order_id: Text
    executed_on: date
    service: Text
    customer_place: Text
    fee: Money


class CorrectionLine(Value):
    """A net amount, positive or negative, that operations add for an order of an earlier settlement.

    `executed_on`: the day on which that order was executed or cancelled. It decides the VAT rate; without it the last
    day of the month does.
    """

    sp_id: Identifier
    reason: Reason
    amount: Amount
    executed_on: date | None = None


LeftOutReason = Literal[
    "not_yours", "not_completed", "taken_back", "cancelled", "billed", "unknown", "unavailable"
]
"""Why an order is left out, in the order of the codes: it belongs to another partner; is not completed (or no longer);
was completed again after its completion was taken back, and not selected since; was cancelled; was billed by another
settlement; does not exist; or its workflow was terminated and has to be revived."""


class LeftOut(Value):
    """An order that was selected and cannot be billed."""

    sp_id: str
    reason: Annotated[LeftOutReason, OPEN]


def amount_of(line: Line | CorrectionLine) -> Decimal:
    """A line's net amount."""
    return line.fee if isinstance(line, Line) else line.amount


def in_order(lines: Iterable[Line]) -> tuple[Line, ...]:
    """Lines in the order of a settlement: by day of execution, then by SP-ID."""
    return tuple(sorted(lines, key=lambda line: (line.executed_on, line.sp_id)))


# --- orders ---------------------------------------------------------------------------------------


def obstacle(
    owner: str, status: Status, billed_by: str | None, partner_id: str, settlement: str
) -> LeftOutReason | None:
    """Why a partner may not bill an order in a settlement; None if it may.

    `owner`, `status` and `billed_by` are the order's. An order that this same settlement has billed may be claimed
    again.
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
    """The line of an order; None if it was not executed."""
    if order.executed_on is None:
        return None
    return line_of(order.intake.placement, order.executed_on)


def line_of(placed: Placement, executed_on: date) -> Line:
    """The line of an order, executed on a day."""
    place = f"{placed.customer.postal_code} {placed.customer.city}"
    return Line(
        sp_id=placed.sp_id,
        sales_order_id=placed.sales_order_id,
        executed_on=executed_on,
        service=placed.service.name,
        customer_place=place[:200].strip(),
        fee=placed.service.fee,
    )
