"""Files of payments: what they may look like, and that a bad line loses none of the others."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidCommand
from domain.settlements.payments import (
    MOST_ROWS,
    Payment,
    Row,
    read_amount,
    read_day,
    read_payments,
)

ID = "V202610-Q93Q3BS6"
HEAD = "settlement_id;amount;paid_on;reference"
GOOD = f"{ID};139.45;2026-11-05;2026-1"
PAYMENT = Payment(ID, Decimal("139.45"), date(2026, 11, 5), "2026-1")


def rows(text: str) -> tuple[Row, ...]:
    return read_payments(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        f"{HEAD}\n{GOOD}",
        f"\ufeff{HEAD}\r\n{GOOD}\r\n",
        f"{HEAD}\r{GOOD}\r",
        f"{HEAD};\n{GOOD};\n;;;;\n\n",
        f"sep=;\n{HEAD}\n{GOOD}\n"[6:],
        f"{HEAD.replace(';', ',')}\n{GOOD.replace(';', ',')}\n",
        f"Settlement_ID ; AMOUNT;Paid_On;Reference\n {ID} ; 139,45 ;5.11.2026; 2026-1\n",
        f"reference;paid_on;amount;settlement_id\n2026-1;05.11.2026;139.45;{ID}\n",
        f'"settlement_id","amount","paid_on","reference"\n"{ID}","139,45","2026-11-05","2026-1"\n',
    ],
)
def test_the_same_payment_in_many_forms(text: str) -> None:
    assert rows(text) == (Row(2, ID, PAYMENT),)


def test_the_line_of_some_spreadsheets_is_skipped() -> None:
    assert rows(f"sep=;\r\n{HEAD}\r\n{GOOD}\r\n") == (Row(3, ID, PAYMENT),)


def test_a_number_in_small_letters() -> None:
    (row,) = rows(f"{HEAD}\n{GOOD.lower()}\n")
    assert row == Row(2, ID.lower(), PAYMENT)


def test_the_reference_may_be_left_out() -> None:
    bare = PAYMENT._replace(reference="")
    for text in (
        f"settlement_id;amount;paid_on\n{ID};139.45;2026-11-05",
        f"{HEAD}\n{ID};139.45;2026-11-05;",
        f"{HEAD}\n{ID};139.45;2026-11-05",
    ):
        assert rows(text) == (Row(2, ID, bare),)


@pytest.mark.parametrize(
    ("line", "problem", "column"),
    [
        (";139.45;2026-11-05;", "missing", "settlement_id"),
        (f"{ID};;2026-11-05;", "missing", "amount"),
        (f"{ID};139.45;;", "missing", "paid_on"),
        (f"{'V' * 65};139.45;2026-11-05;", "too_long", "settlement_id"),
        (f"{ID};-139.45;2026-11-05;", "not_an_amount", "amount"),
        (f"{ID};0.00;2026-11-05;", "not_an_amount", "amount"),
        (f"{ID};139.455;2026-11-05;", "not_an_amount", "amount"),
        (f"{ID};CHF 139;2026-11-05;", "not_an_amount", "amount"),
        (f"{ID};=1+1;2026-11-05;", "not_an_amount", "amount"),
        (f"{ID};139.45;2026-02-30;", "not_a_day", "paid_on"),
        (f"{ID};139.45;11/05/2026;", "not_a_day", "paid_on"),
        (f"{ID};139.45;2026-11-05;{'x' * 141}", "not_a_reference", "reference"),
        (f"{ID};139.45;2026-11-05;a\x07b", "not_a_reference", "reference"),
        (f"{ID};139.45", "cells", None),
        (f"{GOOD};more", "cells", None),
        (f'{ID};"139.45;2026-11-05;x', "quotes", None),
        (f'"{ID}" x;139.45;2026-11-05;x', "quotes", None),
    ],
)
def test_a_bad_line_is_named_and_loses_no_other(
    line: str, problem: str, column: str | None
) -> None:
    first, bad, last = rows(f"{HEAD}\n{GOOD}\n{line}\n{GOOD}\n")
    assert (first, last) == (Row(2, ID, PAYMENT), Row(4, ID, PAYMENT))
    assert (bad.line, bad.payment, bad.problem, bad.column) == (3, None, problem, column)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "no_payments"),
        (b"\xef\xbb\xbf\r\n;;\r\n", "no_payments"),
        (HEAD.encode(), "no_payments"),
        (b"settlement_id;amount\nV;1\n", "column_missing"),
        (b"settlement_id;amount;paid_on;refrence\nV;1;2;3\n", "unknown_column"),
        (b"settlement_id;amount;paid_on;amount\nV;1;2;3\n", "column_twice"),
        (GOOD.encode(), "unknown_column"),
        ("settlement_id;amount;paid_on\nZürich;1;2\n".encode("latin-1"), "not_utf8"),
        (f"{HEAD}\n".encode() + f"{GOOD}\n".encode() * (MOST_ROWS + 1), "too_many_payments"),
    ],
)
def test_what_is_no_file_of_payments(content: bytes, code: str) -> None:
    with pytest.raises(InvalidCommand) as invalid:
        read_payments(content)
    assert (invalid.value.field, invalid.value.code) == ("file", code)


def test_as_many_as_possible() -> None:
    assert len(rows(f"{HEAD}\n" + f"{GOOD}\n" * MOST_ROWS)) == MOST_ROWS


@given(st.binary(max_size=200))
def test_no_file_is_too_strange(junk: bytes) -> None:
    for content in (junk, f"{HEAD}\n{GOOD}\n".encode() + junk):
        try:
            found = read_payments(content)
        except InvalidCommand:
            continue
        if content is not junk:
            assert found[0].payment is not None or found[0].problem is not None
        assert all((row.payment is None) != (row.problem is None) for row in found)


@given(st.integers(1, 99_999_999_99), st.sampled_from(".,"), st.sampled_from(["", "'", "’"]))
def test_an_amount_is_read_as_it_is_written(centimes: int, point: str, separator: str) -> None:
    amount = Decimal(centimes).scaleb(-2)
    francs, cents = divmod(centimes, 100)
    text = f"{francs:,}".replace(",", separator) + f"{point}{cents:02}"
    assert read_amount(text) == amount


@given(st.dates())
def test_a_day_is_read_as_it_is_written(day: date) -> None:
    assert read_day(day.isoformat()) == day
    assert read_day(f"{day.day}.{day.month}.{day.year:04}") == day
    assert read_day(f"{day.day:02}.{day.month:02}.{day.year:04}") == day
