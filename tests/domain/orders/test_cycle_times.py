"""How long the steps of an order take."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from domain.orders.cycle_times import STEPS, Milestone, cycle_times
from tests.domain.strategies import at

BEGIN, HOUR = at("2026-11-02 10:00"), timedelta(hours=1)


def test_half_and_nine_of_ten() -> None:
    orders = [{"placed": BEGIN, "accepted": BEGIN + n * HOUR} for n in range(1, 11)]
    (accept,) = cycle_times(orders)  # type: ignore[arg-type]
    assert (accept.step, accept.orders) == ("accept", 10)
    assert accept.median == 5.5 * HOUR
    assert accept.nine_of_ten == 9 * HOUR


def test_steps_that_no_order_took_are_left_out() -> None:
    assert cycle_times([]) == ()
    assert cycle_times([{"placed": BEGIN}]) == ()
    early = {"requirements_confirmed": BEGIN, "goods_received": BEGIN - HOUR}
    (deliver,) = cycle_times([early])  # type: ignore[list-item]
    assert deliver.median == deliver.nine_of_ten == timedelta()


milestones = st.dictionaries(
    st.sampled_from(sorted({each for pair in STEPS.values() for each in pair})),
    st.integers(0, 1000).map(lambda hours: BEGIN + hours * HOUR),
)


@given(st.lists(milestones, max_size=12))
def test_nine_of_ten_are_no_slower(orders: list[dict[Milestone, object]]) -> None:
    for each in cycle_times(orders):  # type: ignore[arg-type]
        begin, end = STEPS[each.step]
        taken = [max(o[end] - o[begin], timedelta()) for o in orders if {begin, end} <= o.keys()]  # type: ignore[operator,type-var]
        assert each.orders == len(taken)
        assert each.median <= each.nine_of_ten
        assert 10 * sum(time <= each.nine_of_ten for time in taken) >= 9 * len(taken)
        assert each.nine_of_ten in taken
