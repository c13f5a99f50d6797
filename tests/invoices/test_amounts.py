"""Amounts as a Swiss person writes them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents.formats import money
from invoices.amounts import amounts, pattern
from tests.domain.settlements.strategies import centimes


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        ("1234.50", "1'234.50"),
        ("1234.50", "1’234.50"),
        ("1234.50", "1`234.50"),
        ("1234.50", "1 234.50"),
        ("1234.50", "1\u00a0234.50"),
        ("1234.50", "1\u202f234,50"),
        ("1234.50", "1234.5"),
        ("1234.50", "1,234.50"),
        ("1234.50", "1.234,50"),
        ("1234.50", "Total CHF1'234.50."),
        ("1234.50", "Fr. 1234.50 inkl. MWST"),
        ("1234.50", "(1234.50)"),
        ("1234.56", "sFr. 1'234.56"),
        ("1234567.80", "1'234'567.80"),
        ("80.00", "80.00"),
        ("80.00", "80.–"),
        ("80.00", "80.-"),
        ("80.00", "80.--"),
        ("80.00", "Fr. 80.—"),
        ("80.00", "80.0"),
        ("80.00", "CHF 80"),
        ("80.00", "Fr.80"),
        ("80.00", "80 Franken"),
        ("1000.00", "1'000.–"),
        ("1000.00", "chf 1 000"),
        ("0.50", "0.50"),
        ("0.50", "–.50"),
        ("0.50", "-.50"),
        ("0.50", ".50"),
        ("0.50", "Fr. –.50"),
        ("0.05", "-.05"),
        ("0.00", "CHF 0.00"),
        ("-35.00", "-35.00"),
        ("-35.00", "– 35.–"),
    ],
)
def test_is_found(amount: str, written: str) -> None:
    assert pattern(Decimal(amount)).search(written)
    assert pattern(Decimal(amount)).search(f"Total {written}\n")


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        ("1234.50", "11'234.50"),
        ("1234.50", "1'234.505"),
        ("1234.50", "1'234.51"),
        ("1234.50", "9'1'234.50"),
        ("234.50", "1'234.50"),
        ("234.50", "1.234,50"),
        ("80.00", "80"),
        ("80.00", "80.05"),
        ("80.00", "8080.00"),
        ("80.00", "Nr. 180.00"),
        ("80.00", "CHF 80'000"),
        ("80.00", "80 000 Franken"),
        ("14.10", "14.10.2026"),
        ("3.11", "03.11.2026"),
        ("0.50", "10.50"),
        ("0.50", "7'.50"),
        ("0.50", "0.505"),
        ("-35.00", "35.00"),
        ("123.00", "A123.00"),
    ],
)
def test_is_not_found(amount: str, written: str) -> None:
    assert not pattern(Decimal(amount)).search(written)


@given(centimes(0, 10**10), st.sampled_from("'’ \u00a0,"), st.booleans())
def test_of_any_size(amount: Decimal, separator: str, glued: bool) -> None:
    written = money(amount).replace("'", separator)
    text = f"CHF{'' if glued else ' '}{written} netto"
    assert pattern(amount).search(text)
    assert not pattern(amount + 1).search(text)
    assert not pattern(amount + Decimal("0.01")).search(text)


def test_all_of_a_text() -> None:
    text = "1'234.50 am 14.10.2026: 80.– und 1.234,05, Nr. 12.345, 3 Stk., 1 000 000.00, 99.9, 0.45"
    assert [str(each) for each in amounts(text)] == [
        "1234.50",
        "80.00",
        "1234.05",
        "1000000.00",
        "0.45",
    ]
