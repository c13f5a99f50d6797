"""What the Temporal UI shows of orders and settlements: in the language of operations, and nothing personal."""

from datetime import datetime

import pytest

import words
from contracts.messages import DisplaySettings
from domain.orders import deadlines
from domain.orders.order import Order
from domain.values import LANGUAGES, Language
from tests.support import settlements
from tests.support.builders import ACCEPTED, MONDAY, TRANSMITTED, lived
from workflows.order_display import wake_summary
from workflows.settlement_display import details as settlement_details
from workflows.settlement_display import wake_summary as settlement_wake_summary


def wakes(order: Order) -> list[datetime]:
    """Instants for which an order's workflow may set a timer."""
    due = [each.due for each in order.open_deadlines]
    reminders = [deadlines.reminder_at(order, each) for each in order.open_deadlines]
    return [*due, *(at for at in reminders if at)]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("steps", [TRANSMITTED, ACCEPTED])
def test_timers_name_the_deadline_in_each_language(
    steps: tuple[object, ...], language: Language
) -> None:
    order, _ = lived(*steps)  # type: ignore[arg-type]
    labels = {words.deadline_label(each.kind, language) for each in order.open_deadlines}
    for wake in wakes(order):
        said = wake_summary(order, wake, language)
        assert any(said.startswith(f"{label}: ") for label in labels), said
        assert words.format_instant(order.calendar.local(wake), language) in said
        assert len(said.encode()) < 200, "Temporal takes no longer summary"
    assert len({wake_summary(order, wake, language) for wake in wakes(order)}) == len(
        set(wakes(order))
    )


def test_no_two_languages_say_the_same() -> None:
    order, _ = lived(*TRANSMITTED)
    (wake, *_) = wakes(order)
    assert len({wake_summary(order, wake, language) for language in LANGUAGES}) == len(LANGUAGES)
    renewal = {wake_summary(order, MONDAY, language) for language in LANGUAGES}
    assert len(renewal) == len(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_settlement_says_what_comes_next(language: Language) -> None:
    settlement = settlements.settled(settlements.opening("SP-1")).settlement
    display = DisplaySettings(public_url="https://cmi.example", language=language)
    text = settlement_details(settlement, 0, display)
    assert words.settlement_status_label(settlement.status, language) in text
    assert {"de": "ausgewählt", "fr": "sélectionn", "it": "selezionat", "en": "selected"}[
        language
    ] in text
    said = settlement_wake_summary(settlement, MONDAY, language)
    assert words.format_instant(settlement.opening.calendar.local(MONDAY), language) in said
