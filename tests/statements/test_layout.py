"""Lines, columns and pages, reckoned by us."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from documents.formats import money
from documents.pages import Row, paginate, split
from documents.table import GAP, Column, Wanted, blanks, columns, line
from documents.text import REPLACEMENT, clean, width, wrap
from tests.domain.settlements.strategies import centimes

TEXTS = st.text(max_size=120).map(clean)


@given(st.text(max_size=80))
def test_cleaned_text_is_one_printable_line_that_the_fonts_have(text: str) -> None:
    shown = clean(text)
    assert clean(shown) == shown
    assert shown.isprintable() or "\u00a0" in shown
    assert width(shown) >= 0
    assert width(shown, bold=True) >= 0


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zu\u0308rich", "Zürich"),
        ("  viel \t Platz \r\n", "viel Platz"),
        ("\u202egnP\u2066.exe", "gnP.exe"),
        ("un\u200bsicht\u00adbar\ufeff", "unsichtbar"),
        ("a\x00b\x1bc", "abc"),
        ("Łódź, Đặng & Ñandú’s «Été»", "Łódź, Đặng & Ñandú’s «Été»"),
        ("日本 🎉 العربية", f"{REPLACEMENT * 2} {REPLACEMENT} {REPLACEMENT * 7}"),
        ("a\u2003b", "a b"),
        ("", ""),
    ],
)
def test_clean(text: str, shown: str) -> None:
    assert clean(text) == shown


@given(TEXTS, st.floats(15, 400))
def test_wrapped_lines_fit_and_lose_nothing(text: str, room: float) -> None:
    lines = wrap(text, room)
    assert all(width(each) <= room + 0.011 or len(each) == 1 for each in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert lines


def test_a_long_word_is_broken_where_it_may_be() -> None:
    assert wrap("SP-1048213-abcdefghijkl", width("SP-1048213-abc")) == [
        "SP-1048213-",
        "abcdefghijkl",
    ]
    assert wrap("W" * 5, 1) == ["W"] * 5


@given(st.floats(0, 800))
def test_blanks_are_exact(wide: float) -> None:
    text, made = blanks(wide)
    assert abs(made - wide) <= 0.1
    assert abs(width(text) - made) < 0.001


@given(st.lists(centimes(-99_999_999, 99_999_999), min_size=1, max_size=8))
def test_amounts_end_at_the_same_place(amounts: list) -> None:
    column = Column(300, 400, "right")
    for amount in amounts:
        text = line([(Column(0, 100), "SP-1"), (column, money(amount))])
        assert abs(width(text) - 400) <= 0.2


@given(
    st.lists(st.floats(10, 300), min_size=7, max_size=7),
)
def test_columns_do_not_touch(widest: list[float]) -> None:
    wanted = [Wanted(each, limit=70) for each in widest]
    made = columns(wanted, 664, shared=(3, 4))
    assert made[0].left == 0
    assert made[-1].right == pytest.approx(664)
    for left, right in pairwise(made):
        assert right.left - left.right == pytest.approx(GAP)
    assert min(each.right - each.left for each in made) >= 10 - 1e-9


@given(st.lists(st.integers(1, 90), max_size=120), st.floats(0, 700), st.floats(20, 200))
@settings(max_examples=60)
def test_pages_hold_all_rows_in_order_and_none_is_too_full(
    heights: list[int], first: float, tail: float
) -> None:
    rows = [
        piece
        for number, height in enumerate(heights)
        for piece in split(Row([f"{number}.{each}" for each in range(height)]))
    ]
    pages = paginate(rows, first, 900, tail)
    assert [text for page in pages for each in page.rows for text in each.lines] == [
        f"{number}.{each}" for number, height in enumerate(heights) for each in range(height)
    ]
    assert [page.number for page in pages] == list(range(1, len(pages) + 1))
    assert [page.tail for page in pages] == [False] * (len(pages) - 1) + [True]
    for page in pages:
        used = sum(each.height for each in page.rows) + (tail if page.tail else 0)
        assert used <= (first if page.number == 1 else 900) or (not rows and page.number == 1)
    assert all(page.rows for page in pages[1:])


@pytest.mark.parametrize(
    ("amount", "text"),
    [("1234.5", "1'234.50"), ("-35", "-35.00"), ("0", "0.00"), ("1234567.89", "1'234'567.89")],
)
def test_money(amount: str, text: str) -> None:
    assert money(Decimal(amount)) == text


@given(st.lists(st.integers(1, 30), min_size=1, max_size=60), st.data(), st.floats(20, 200))
@settings(max_examples=60)
def test_a_heading_is_not_the_last_on_a_page(
    heights: list[int], data: st.DataObject, tail: float
) -> None:
    rows = [Row(["x"] * height) for height in heights]
    rows.insert(data.draw(st.integers(0, len(rows) - 1)), Row(["Korrekturen"], "heading"))
    for page in paginate(rows, 500, 900, tail):
        assert not page.rows or page.rows[-1].kind != "heading"
