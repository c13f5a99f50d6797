"""How long the steps of an order take: the median, and the time within which nine of ten are done."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from statistics import median
from typing import Literal, NamedTuple

Milestone = Literal[
    "placed",
    "accepted",
    "requirements_confirmed",
    "goods_received",
    "appointment_set",
    "executed",
]
"""The milestones of an order. Each is the first time that it was reached; `executed` is the last time."""
Step = Literal["accept", "check", "deliver", "agree", "carry_out", "whole"]
STEPS: Mapping[Step, tuple[Milestone, Milestone]] = {
    "accept": ("placed", "accepted"),
    "check": ("accepted", "requirements_confirmed"),
    "deliver": ("requirements_confirmed", "goods_received"),
    "agree": ("goods_received", "appointment_set"),
    "carry_out": ("appointment_set", "executed"),
    "whole": ("placed", "executed"),
}
"""Each step with its beginning and its end."""


class CycleTime(NamedTuple):
    """How long a step took `orders` orders: the median, and the time within which nine of ten were done."""

    step: Step
    orders: int
    median: timedelta
    nine_of_ten: timedelta


def cycle_times(orders: Iterable[Mapping[Milestone, datetime]]) -> tuple[CycleTime, ...]:
    """The times of the steps, in the order of an order's life. Steps that no order has are left out.

    An order whose end of a step is before its beginning (goods that came before they were asked for) took no time.
    """
    taken: dict[Step, list[timedelta]] = {step: [] for step in STEPS}
    for passed in orders:
        for step, (begin, end) in STEPS.items():
            if begin in passed and end in passed:
                taken[step].append(max(passed[end] - passed[begin], timedelta()))
    return tuple(_cycle_time(step, sorted(times)) for step, times in taken.items() if times)


def _cycle_time(step: Step, times: list[timedelta]) -> CycleTime:
    middle = timedelta(seconds=median(each.total_seconds() for each in times))
    # The smallest of the times within which at least nine of ten are done.
    return CycleTime(step, len(times), middle, times[-(-9 * len(times) // 10) - 1])
