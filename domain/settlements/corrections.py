"""For which orders a correction can be added, and which day decides its VAT."""

from collections.abc import Iterable
from datetime import date

from domain.orders.events import (
    Cancelled,
    Recorded,
    RequirementsRejected,
    ReviewDecided,
)
from domain.orders.order import Order, Status


def service_day(order: Order, events: Iterable[Recorded]) -> date | None:
    """The local day for which the order's partner can get a correction; None if it cannot get one.

    It is the day of execution, or the day on which the order was cancelled (a trip in vain) if its partner had it then:
    a partner that never saw the order, or had declined it, did nothing for it. `events`: the order's.
    """
    if order.executed_on is not None:
        return order.executed_on
    if order.status is not Status.CANCELLED or order.transmitted_at is None:
        return None
    at = max((each.at for each in events if _cancels(each)), default=None)
    return None if at is None else order.calendar.local(at).date()


def _cancels(recorded: Recorded) -> bool:
    match recorded.event:
        case Cancelled() | RequirementsRejected() | ReviewDecided(decision="cancel"):
            return True
        case _:
            return False
