"""Who had the ball when, read off an order's events: what the tests hold the rules' own account against."""

from collections.abc import Iterable
from datetime import datetime

from domain.orders.ball import ball
from domain.orders.events import Recorded
from domain.orders.evolve import evolve
from domain.orders.lifecycle import begin
from domain.orders.order import Order, Party, Status
from domain.orders.placement import Intake
from domain.values import Value


class Holding(Value):
    """An interval in which one party had the ball."""

    party: Party
    start: datetime
    end: datetime


def holdings(intake: Intake, events: Iterable[Recorded], now: datetime) -> tuple[Holding, ...]:
    """The order's life until `now`, cut into the intervals of those who had the ball, without gap or overlap."""
    cuts: list[tuple[datetime, Order]] = []
    order = begin(intake)
    for recorded in events:
        order = evolve(order, recorded)
        cuts.append((recorded.at, order))
    pieces: list[Holding] = []

    def add(party: Party | None, start: datetime, end: datetime) -> None:
        if party is None or end <= start:
            return
        if pieces and pieces[-1].party == party and pieces[-1].end == start:
            pieces[-1] = pieces[-1].model_copy(update={"end": end})
        else:
            pieces.append(Holding(party=party, start=start, end=end))

    ends = [at for at, _ in cuts[1:]] + [now]
    for (start, state), end in zip(cuts, ends, strict=True):
        middle = start
        if state.status is Status.CONFIRM_EXECUTION and state.appointment:
            middle = min(max(start, state.appointment.end), end)
        add(ball(state, start), start, middle)
        add(ball(state, middle), middle, end)
    return tuple(pieces)
