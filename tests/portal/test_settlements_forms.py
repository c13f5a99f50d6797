"""What a form of a settlement says: picks over several pages, amounts as people write them."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.settlements.lines import Line
from web.portal.forms import Form
from web.portal.settlements.actions import read_amount
from web.portal.settlements.choice import PER_PAGE, Choice, Picking


def line(number: int) -> Line:
    return Line(
        sp_id=f"SP-{number:05}",
        sales_order_id="1",
        executed_on=date(2026, 11, 2),
        service="Montage",
        customer_place="8004 Zürich",
        fee=Decimal("10.00"),
    )


LINES = tuple(line(number) for number in range(230))
SP_IDS = [each.sp_id for each in LINES]


def sent(picking: Picking, ticked: set[str], step: str) -> Choice:
    """What the server reads of a page whose ticks are these."""
    shown = [each.sp_id for each in picking.shown]
    fields = [
        ("base", picking.choice.base),
        ("others", " ".join(sorted(picking.choice.others))),
        ("page", str(picking.choice.page)),
        ("shown", " ".join(shown)),
        ("step", step),
        *(("sp_id", sp_id) for sp_id in shown if sp_id in ticked),
    ]
    return Choice.of(Form(fields))


@given(st.sets(st.sampled_from(SP_IDS)), st.sampled_from(["all", "none"]))
def test_ticks_on_every_page_come_together(wanted: set[str], base: str) -> None:
    choice = Choice(base)  # type: ignore[arg-type]
    for _ in range(3):
        choice = sent(Picking.of(choice, LINES), wanted, "next")
    picked = Picking.of(choice, LINES).picked
    assert {each.sp_id for each in picked} == wanted
    assert Picking.of(Choice.only(wanted, LINES), LINES).picked == picked


def test_pages_sums_and_what_is_elsewhere() -> None:
    picking = Picking.of(Choice(page=99), LINES)
    assert (picking.pages, picking.choice.page, len(picking.shown)) == (3, 3, 30)
    assert picking.net == Decimal("2300.00")
    assert picking.elsewhere == (200, Decimal("2000.00"))
    assert Picking.of(Choice(), ()).pages == 1
    assert len(Picking.of(Choice(), LINES).shown) == PER_PAGE


def test_all_and_none() -> None:
    picking = Picking.of(Choice(others=frozenset(SP_IDS[:3])), LINES)
    assert len(picking.picked) == 227
    assert Picking.of(sent(picking, set(), "all"), LINES).picked == LINES
    assert Picking.of(sent(picking, set(SP_IDS), "none"), LINES).picked == ()


def test_what_was_confirmed_is_what_is_done() -> None:
    picking = Picking.of(Choice(), LINES)
    assert picking.digest == Picking.of(Choice("none", frozenset(SP_IDS)), LINES).digest
    assert picking.digest != Picking.of(Choice(), LINES[:-1]).digest
    dearer = (LINES[0].model_copy(update={"fee": Decimal("11.00")}), *LINES[1:])
    assert picking.digest != Picking.of(Choice(), dearer).digest


@pytest.mark.parametrize("page", ["", "-1", "0", "x", "²", "9" * 40])
def test_nonsense_is_the_first_page(page: str) -> None:
    assert Picking.of(Choice.of(Form([("page", page)])), LINES).choice.page == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12.50", "12.50"),
        ("-12,5", "-12.5"),
        ("− 1’234.05", "-1234.05"),
        ("CHF 1'000", "1000"),
        ("+3", "3"),
        ("", None),
        ("1.234.5", None),
        ("12.505", None),
        ("NaN", None),
        ("1e5", None),
        ("zehn", None),
    ],
)
def test_amounts_as_people_write_them(text: str, value: str | None) -> None:
    assert read_amount(text) == (None if value is None else Decimal(value))
