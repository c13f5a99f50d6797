"""Accounts of settlements of any size, for properties."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

from hypothesis import strategies as st

from domain.months import Month
from domain.settlements.account import SettlementAccount
from domain.settlements.ids import settlement_id
from domain.settlements.lines import VAT_RATES, CorrectionLine, Line, VatRates, in_order

NOW = datetime(2026, 11, 1, 5, 0, tzinfo=UTC)
DAYS = st.dates(date(2023, 6, 1), date(2026, 12, 31))
IDENTIFIERS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)
# Drawn faster than IDENTIFIERS.
SP_IDS = st.integers(1, 9_999_999).map(lambda number: f"SP-{number}")
MONTHS = st.builds(Month, st.integers(1, 9998), st.integers(1, 12))


def settlement_of(
    partner_id: str,
    month: Month,
    lines: Sequence[Line],
    *,
    corrections: Sequence[CorrectionLine] = (),
    vat_rates: VatRates = (),
    vat_liable_from: date | None = None,
    rules: int = 1,
) -> SettlementAccount:
    """What a settlement of these lines adds up to."""
    return SettlementAccount(
        settlement_id=settlement_id(partner_id, month),
        partner_id=partner_id,
        month=month,
        lines=in_order(lines),
        corrections=tuple(corrections),
        vat_rates=vat_rates,
        vat_liable_from=vat_liable_from,
        rules=rules,
        opened_at=NOW,
    )


def centimes(lowest: int, highest: int) -> st.SearchStrategy[Decimal]:
    """Amounts in whole centimes."""
    return st.integers(lowest, highest).map(lambda number: Decimal(number).scaleb(-2))


@st.composite
def lines(draw: st.DrawFn, most: int = 12) -> tuple[Line, ...]:
    """Lines of different orders."""
    sp_ids = draw(st.lists(SP_IDS, max_size=most, unique=True))
    return tuple(
        Line(
            sp_id=sp_id,
            sales_order_id="48392011",
            executed_on=draw(DAYS),
            service="Waschmaschine anschliessen",
            customer_place="8004 Zürich",
            fee=draw(centimes(0, 99_999_999)),
        )
        for sp_id in sp_ids
    )


CORRECTIONS = st.lists(
    st.builds(
        CorrectionLine,
        sp_id=SP_IDS,
        reason=st.just("Doppelt verrechnet"),
        amount=centimes(-99_999_999, 99_999_999),
        executed_on=st.none() | DAYS,
    ),
    max_size=4,
)
ACCOUNTS = st.builds(
    settlement_of,
    IDENTIFIERS,
    MONTHS,
    lines(),
    corrections=CORRECTIONS,
    vat_rates=st.sampled_from([(), VAT_RATES]),
    vat_liable_from=st.none() | DAYS,
    rules=st.sampled_from([1, 2]),
)
