"""When an order ended: from then on retention counts, whatever is reported later."""

from datetime import datetime, timedelta

import pytest

from domain.orders.commands import Cancel
from domain.orders.erasure import contact_is_over
from domain.orders.events import MailUndelivered, Recorded
from domain.orders.evolve import evolve
from domain.orders.lifecycle import release
from domain.orders.order import Order
from domain.retention import RULES
from tests.support.builders import BILLED, COMPLETED, Step, lived

CONTACT = timedelta(days=RULES["contact"].days)
LATER = timedelta(days=60)
INSTANT = timedelta(microseconds=1)


def end(order: Order) -> datetime:
    """When it ended."""
    assert order.end is not None
    return order.end


def undelivered_later(order: Order) -> Order:
    """The order after something was recorded later: a mail was given up."""
    late = MailUndelivered(key="k", mail="new_order")
    at = end(order) + LATER
    return evolve(order, Recorded(seq=order.version + 1, at=at, by="system", event=late))


@pytest.mark.parametrize(
    "steps", [BILLED, (Cancel(reason="withdrawn"),)], ids=["billed", "cancelled"]
)
def test_what_comes_later_does_not_put_off_the_end(steps: tuple[Step, ...]) -> None:
    order, events = lived(*steps)
    assert order.ended_at == order.changed_at == events[-1].at
    changed = undelivered_later(order)
    assert changed.changed_at == end(order) + LATER
    assert end(changed) == end(order)


@pytest.mark.parametrize("is_late", [False, True])
def test_the_contact_is_hidden_90_days_after_the_bill_and_not_before(*, is_late: bool) -> None:
    order, _ = lived(*BILLED)
    order = undelivered_later(order) if is_late else order
    assert not contact_is_over(order, end(order) + CONTACT - INSTANT, CONTACT)
    assert contact_is_over(order, end(order) + CONTACT, CONTACT)


def test_the_end_of_an_older_release_is_its_last_change_and_stays_so() -> None:
    order, _ = lived(*BILLED)
    older = order.replace(ended_at=None)
    assert older.end == order.changed_at
    assert end(undelivered_later(older)) == end(order)


def test_an_order_that_is_released_has_not_ended() -> None:
    order, _ = lived(*BILLED)
    assert order.settlement_id is not None
    freed, _ = release(order, order.settlement_id, end(order) + LATER)
    assert freed.ended_at is None
    assert freed.end is None
    assert not contact_is_over(freed, end(order) + 9 * CONTACT, CONTACT)
    assert lived(*COMPLETED)[0].end is None
