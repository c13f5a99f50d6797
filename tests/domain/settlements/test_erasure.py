"""What people wrote about a settlement and its orders is erased; amounts, lines and identifiers stay."""

import typing
from datetime import timedelta
from decimal import Decimal

import pytest
from pydantic import BaseModel

from domain.digest import extend
from domain.orders import erasure as of_orders
from domain.orders import events as order_events
from domain.orders.erasure import ERASED
from domain.settlements import events as settlement_events
from domain.settlements.commands import Close, NoteReleased, VoidSettlement
from domain.settlements.erasure import (
    FREE_TEXTS,
    NO_FREE_TEXTS,
    erase_settlement,
    erase_settlement_events,
    hide_reasons,
)
from domain.settlements.lines import CorrectionLine
from tests.support.settlements import claims, opening, settled, statement

NAME = "Frau Unverwechselbar"


def correction(sp_id: str) -> CorrectionLine:
    return CorrectionLine(sp_id=sp_id, reason=f"{NAME} und {sp_id}", amount=Decimal("45.00"))


@pytest.mark.parametrize(
    ("events", "declared"),
    [
        (order_events.KnownEvent, (of_orders.FREE_TEXTS, of_orders.NO_FREE_TEXTS)),
        (settlement_events.KnownSettlementEvent, (FREE_TEXTS, NO_FREE_TEXTS)),
    ],
)
def test_each_text_of_an_event_is_free_or_is_not(events: object, declared: tuple) -> None:
    """A new field of an event has to be declared before it can hold a customer's name for ever."""
    union = typing.get_args(events)[0]
    for event in typing.get_args(union):
        assert issubclass(event, BaseModel)
        kind = event.model_fields["type"].default
        texts = {name for name, field in event.model_fields.items() if field.annotation is str}
        known = {name for table in declared for name in table.get(kind, ())}
        assert texts <= known, kind


def test_the_reason_of_a_correction_goes_and_its_amount_stays() -> None:
    of = opening("SP-1")
    taken = (correction("SP-1"), correction("SP-2"))
    made = settled(of, Close(), claims(corrections=taken), statement(of.settlement_id))
    erased = erase_settlement(made.settlement, {"SP-1"})
    assert [line.reason for line in erased.corrections] == [ERASED, f"{NAME} und SP-2"]
    assert [line.amount for line in erased.corrections] == [line.amount for line in taken]
    events = erase_settlement_events(made.events, {"SP-1"}, is_over=False)
    assert f"{NAME} und SP-1" not in str(events)
    assert f"{NAME} und SP-2" in str(events)
    assert extend("", events) == extend("", made.events)
    assert erase_settlement(made.settlement, ()) == made.settlement


def test_texts_about_the_settlement_go_when_it_is_over() -> None:
    of = opening("SP-1")
    steps = (Close(), claims(), statement(of.settlement_id), VoidSettlement(reason=NAME))
    still = settled(of, *steps)
    assert not still.settlement.is_over
    assert NAME in str(erase_settlement_events(still.events, {"SP-1"}, is_over=False))
    over = settled(of, *steps, timedelta(hours=1), NoteReleased())
    assert over.settlement.is_over
    assert NAME not in str(erase_settlement_events(over.events, {"SP-1"}, is_over=True))


def test_papers_show_no_reason() -> None:
    (hidden,) = hide_reasons([correction("SP-1")], "Korrektur")
    assert (hidden.reason, hidden.sp_id) == ("Korrektur", "SP-1")
