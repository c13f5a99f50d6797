"""Calculates from the measured cost of one order what many orders a day need: `python -m bench.on_paper`."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from bench.report import RESULTS, table

ORDERS_A_DAY = (1_000, 100_000, 1_000_000)
OPEN_DAYS, RETENTION_DAYS = 14, 30
"""How long an order is open, and how long Temporal keeps it afterwards (`TEMPORAL_RETENTION`)."""
DAYS, HOURS, PEAK = 30, 10, 3
"""Working days of a month, working hours of a day, and the load of the busiest moment as a multiple of their mean."""
WORKER_LOAD = 0.5
"""How busy one process, which uses one core, may be at the peak."""
ACTIONS = ((5, 50), (5, 45), (10, 40), (30, 35), (50, 30), (100, 25))
"""Temporal Cloud, plan Business, pay as you go: millions of actions in a month, and dollars a million. Above that the
price is agreed with Temporal; it is calculated with that of the last step."""
ACTIVE_GBH, RETAINED_GBH, PLAN, PLAN_SHARE = 0.042, 0.00105, 500, 0.1
"""Dollars an hour for a gigabyte of open and of closed histories; the plan is the greater of an amount and a share."""


class Need(NamedTuple):
    """What a number of orders a day needs."""

    open_orders: float
    peak_orders_per_second: float
    peak_events_per_second: float
    actions_million_a_month: float
    peak_actions_per_second: float
    open_histories_gb: float
    closed_histories_gb: float
    record_rows_million_a_year: float
    records_gb_a_year: float
    order_worker_processes: float
    server_cores_at_the_peak: float
    dollars_actions: float
    dollars_storage: float
    dollars_in_all: float


def need(orders: int, cost: dict[str, Any]) -> Need:
    """What `orders` a day need, given the figures of `bench/results/cost.json`."""
    peak = orders / HOURS / 3600 * PEAK
    actions = orders * DAYS * cost["actions"] / 1e6
    # An open order has half of its history on average.
    active = orders * OPEN_DAYS * cost["history_bytes"] / 2 / 1e9
    retained = orders * RETENTION_DAYS * cost["history_bytes"] / 1e9
    for_actions = _price(actions)
    for_storage = (active * ACTIVE_GBH + retained * RETAINED_GBH) * 24 * DAYS
    used = for_actions + for_storage
    return Need(
        open_orders=orders * OPEN_DAYS,
        peak_orders_per_second=peak,
        peak_events_per_second=peak * cost["events"],
        actions_million_a_month=actions,
        peak_actions_per_second=peak * cost["actions"],
        open_histories_gb=active,
        closed_histories_gb=retained,
        record_rows_million_a_year=orders * 365 * cost["rows"] / 1e6,
        records_gb_a_year=orders * 365 * cost["database_bytes"] / 1e9,
        order_worker_processes=peak * cost["cpu_ms_worker"] / 1000 / WORKER_LOAD,
        server_cores_at_the_peak=peak * cost["cpu_ms_server"] / 1000,
        dollars_actions=for_actions,
        dollars_storage=for_storage,
        dollars_in_all=used + max(PLAN, used * PLAN_SHARE),
    )


def _price(million_actions: float) -> float:
    left, dollars, price = million_actions, 0.0, 0
    for millions, price in ACTIONS:
        dollars += min(left, millions) * price
        left -= min(left, millions)
    return dollars + left * price


def main(orders: Sequence[int] = ORDERS_A_DAY) -> None:
    """Print the table."""
    cost = json.loads((RESULTS / "cost.json").read_text(encoding="utf-8"))["figures"]
    needs = [need(each, cost)._asdict() for each in orders]
    table(
        "What a number of orders a day needs, calculated",
        ["", *(f"{each:,}" for each in orders)],
        [(name.replace("_", " "), *(each[name] for each in needs)) for name in Need._fields],
    )


if __name__ == "__main__":
    main()
