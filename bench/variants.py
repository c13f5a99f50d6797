"""The product with parts of it cut away or done otherwise, to see what each costs. Not ways to run it.

`python -m bench variants` compares them; `python -m bench.variants NAME` is the worker process of one. They reach into
the product's inside, and one that does not fit it any more says so.
"""

import gc
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from statistics import median
from typing import Any, cast

from temporalio import activity, workflow

import worker
import workflows.service_order as product
from activities import names as activities
from bench.histories import count_of, summary
from bench.lifetimes import Drive, FloorSide, Intakes, ProductSide, Side, drive
from bench.report import keep, table
from bench.stage import Stage, stage
from domain.effects import Effect, Mail, ShippingRequest

CALLERS = 24
WARM_UP = 24
COUNTED = 20
ROUNDS = 2

_Order = product.ServiceOrder


def _replace(owner: object, name: str, by: object) -> None:
    """Put something else in the place of a part of the product, which must be there."""
    if not hasattr(owner, name):
        raise SystemExit(f"the product has no {name} any more: bench/variants.py must follow it")
    setattr(owner, name, by)


def without_attributes() -> None:
    """Search attributes are set at the start only."""
    _replace(_Order, "_search_attributes", lambda self: [])


def without_details() -> None:
    """No current details for the Temporal UI."""
    _replace(product, "details", lambda order, now, desk: "")


def without_records() -> None:
    """No read model; what waits for it is told at once that it was written."""

    async def keep_nothing(self: Any) -> None:
        while True:
            await workflow.wait_condition(lambda: bool(self._unsaved))
            self._unsaved = []

    _replace(_Order, "_keep_records", keep_nothing)


class _Nothing:
    """Activities that do nothing: what is left is what it costs to have any."""

    @activity.defn(name=activities.SEND_MAIL)
    async def send_mail(self, mail: Mail) -> None:
        """Not sent."""

    @activity.defn(name=activities.REQUEST_SHIPPING)
    async def request_shipping(self, request: ShippingRequest) -> None:
        """Not asked."""


def without_sending() -> None:
    """Mail and shipping activities that return at once."""
    _replace(worker.MailActivities, "send_mail", _Nothing.send_mail)
    _replace(worker.WarehouseActivities, "request_shipping", _Nothing.request_shipping)


def without_mails() -> None:
    """No mail but the one that transmits the order, and no shipping request."""
    whole = product.effects

    def few(*args: Any) -> tuple[Effect, ...]:
        return tuple(e for e in whole(*args) if isinstance(e, Mail) and e.kind == "new_order")

    _replace(product, "effects", few)


def lazy_timers() -> None:
    """A timer that has become too early is left to fire; only one that would be too late is set anew."""

    def must_stir(self: Any, wake: datetime | None) -> bool:
        earlier = self._wake is not None and (wake is None or self._wake < wake)
        suggested = workflow.info().is_continue_as_new_suggested()
        return bool(earlier or self._is_over() or suggested)

    _replace(_Order, "_must_stir", must_stir)


def _shown_with_records(wanted: Callable[[Any], bool]) -> None:
    show = cast(Any, _Order)._show
    keep_records = cast(Any, _Order)._keep_records

    async def keep_and_show(self: Any) -> None:
        async def show_all() -> None:
            while True:
                await workflow.wait_condition(lambda: bool(self._unshown))
                self._unshown = False
                show(self)

        shower = product.asyncio.create_task(show_all())
        try:
            await keep_records(self)
        finally:
            shower.cancel()

    def note(self: Any) -> None:
        self._unshown = True

    _replace(_Order, "_keep_records", keep_and_show)
    _replace(_Order, "_show", note)
    if wanted is not _any_change:
        attributes = cast(Any, _Order)._search_attributes

        def on_state(self: Any) -> Any:
            return attributes(self) if wanted(self) else []

        _replace(_Order, "_search_attributes", on_state)


def _any_change(order: Any) -> bool:
    return True


def _state_changed(order: Any) -> bool:
    late = any(d.missed for d in order._order.open_deadlines)
    shown = order._shown
    return bool(
        shown.get(product.names.SP_STATUS) != order._order.status.value
        or shown.get(product.names.PARTNER_ID) != order._order.partner.partner_id
        or shown.get(product.names.OVERDUE) != late
    )


def shown_once() -> None:
    """Details and search attributes once a workflow task, after all its messages."""
    _shown_with_records(_any_change)


def shown_on_state() -> None:
    """The same, and search attributes only if state, partner or lateness changed."""
    _shown_with_records(_state_changed)


def lean() -> None:
    """Lazy timers, and search attributes once a task and on a change of state only."""
    lazy_timers()
    shown_on_state()


def without_gc() -> None:
    """No collection of cyclic garbage."""
    gc.disable()


def rare_gc() -> None:
    """What is there at the start is never looked at again, and the rest rarely."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


VARIANTS: dict[str, Callable[[], None]] = {
    "everything": lambda: None,
    "without_attributes": without_attributes,
    "without_details": without_details,
    "without_records": without_records,
    "without_sending": without_sending,
    "without_mails": without_mails,
    "lazy_timers": lazy_timers,
    "shown_once": shown_once,
    "shown_on_state": shown_on_state,
    "lean": lean,
    "rare_gc": rare_gc,
    "without_gc": without_gc,
}


async def run(orders: int) -> None:
    """`orders` lives for each variant and round, the floor in between."""
    measured: dict[str, list[Drive]] = {}
    counted: dict[str, Any] = {}
    async with stage() as made, made.floor():
        floor, intakes = FloorSide(made.client), Intakes(made)
        await _drive(made, floor, intakes, WARM_UP)
        for _ in range(ROUNDS):
            for name in VARIANTS:
                base = await _drive(made, floor, intakes, orders)
                measured.setdefault("floor", []).append(base)
                with_name = ["-m", "bench.variants", name]
                async with made.worker("product", with_name):
                    side = ProductSide(made, looks_into_records=name != "without_records")
                    await _drive(made, side, intakes, WARM_UP)
                    driven = await _drive(made, side, intakes, orders)
                measured.setdefault(name, []).append(driven)
                ids = driven.sp_ids[:COUNTED]
                counted[name] = summary([await count_of(made.client, i) for i in ids])
        ids = [f"floor-{i}" for i in measured["floor"][-1].sp_ids[:COUNTED]]
        counted["floor"] = summary([await count_of(made.client, i) for i in ids])
    figures = {name: _figures(drives) | counted[name] for name, drives in measured.items()}
    base = figures["floor"]["lives_per_second"]
    for figure in figures.values():
        figure["ratio"] = figure["lives_per_second"] / base
    table(
        f"Variants, {CALLERS} callers (CPU in milliseconds a life)",
        [
            "",
            "lives/s",
            "of floor",
            "events",
            "actions",
            "bytes",
            "CPU worker",
            "CPU server",
            "CPU all",
        ],
        [
            (
                name,
                f["lives_per_second"],
                round(f["ratio"], 2),
                f["events"],
                f["actions"],
                f["bytes"],
                f["cpu_ms"].get("floor" if name == "floor" else "product"),
                f["cpu_ms"]["server"],
                sum(f["cpu_ms"].values()),
            )
            for name, f in figures.items()
        ],
    )
    keep("variants", figures, orders=orders)


async def _drive(made: Stage, side: Side, intakes: Intakes, orders: int) -> Drive:
    return await drive(made, side, [intakes.make() for _ in range(orders)], CALLERS)


def _figures(drives: list[Drive]) -> dict[str, Any]:
    return {
        "lives_per_second": median(d.per_second for d in drives),
        "cpu_ms": {
            process: median(d.cpu_seconds[process] * 1000 / d.lives for d in drives)
            for process in drives[0].cpu_seconds
        },
    }


def main(arguments: Sequence[str]) -> int:
    """The worker of a variant. Returns its exit code."""
    (name,) = arguments
    VARIANTS[name]()
    return worker.main([])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
