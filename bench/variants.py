"""The product with parts of it cut away or done otherwise, to see what each costs. Not ways to run it.

`python -m bench variants` compares them; `python -m bench.variants NAME` is the worker process of one. They reach into
the product's inside, and one that does not fit it any more says so. All but `as_is` have `whole_writes` in them.
"""

import asyncio
import gc
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from statistics import median
from typing import Any, cast

from jinja2 import Environment
from temporalio import activity, workflow

import worker
import workflows.service_order as product
from activities import names as activities
from activities.mail import MailActivities
from activities.warehouse import WarehouseActivities
from bench.histories import count_of, summary
from bench.lifetimes import Drive, FloorSide, Intakes, ProductSide, Side, drive
from bench.report import console, keep, table
from bench.stage import Stage, stage
from domain.effects import Effect, Mail, ShippingRequest, effects
from records.orders import Orders
from workflows import names

CALLERS = 24
WARM_UP = 24
COUNTED = 20
ROUNDS = 1

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
    _replace(MailActivities, "send_mail", _Nothing.send_mail)
    _replace(WarehouseActivities, "request_shipping", _Nothing.request_shipping)


def without_mails() -> None:
    """No mail but the one that transmits the order, and no shipping request."""
    whole = effects

    def few(*args: Any) -> tuple[Effect, ...]:
        return tuple(e for e in whole(*args) if isinstance(e, Mail) and e.kind == "new_order")

    _replace(product, "effects", few)


def lazy_timers() -> None:
    """A timer that has become too early is left to fire; only one that would be too late is set anew."""

    def must_stir(self: Any, wake: datetime | None) -> bool:
        earlier = self._wake is not None and (wake is None or self._wake < wake)
        suggested = workflow.info().is_continue_as_new_suggested()
        return bool(earlier or self._is_over() or self._background.broken or suggested)

    _replace(_Order, "_must_stir", must_stir)


def shown_on_state() -> None:
    """Details and search attributes once a workflow task, after its messages; these if state, firm or lateness changed.

    A deadline that moves within a state shows in the records and in the details.
    """
    inside = cast(Any, _Order)
    show, keep_records, attributes = inside._show, inside._keep_records, inside._search_attributes

    async def keep_and_show(self: Any) -> None:
        async def show_all() -> None:
            while True:
                await workflow.wait_condition(lambda: bool(self._unshown))
                self._unshown = False
                show(self)

        shower = asyncio.create_task(show_all())
        try:
            await keep_records(self)
        finally:
            shower.cancel()

    def note(self: Any) -> None:
        self._unshown = True

    def on_state(self: Any) -> Any:
        shown, order = self._shown, self._order
        same = (
            shown.get(names.SP_STATUS) == order.status.value
            and shown.get(names.PARTNER_ID) == order.partner.partner_id
            and shown.get(names.OVERDUE) == any(d.missed for d in order.open_deadlines)
        )
        return [] if same else attributes(self)

    _replace(_Order, "_keep_records", keep_and_show)
    _replace(_Order, "_show", note)
    _replace(_Order, "_search_attributes", on_state)


def cached_texts() -> None:
    """The phrases of mails are compiled once, not for each mail."""
    compiled: dict[tuple[int, str], Any] = {}
    compile_one = Environment.from_string

    def from_string(self: Environment, source: str, *args: Any, **more: Any) -> Any:
        key = (id(self), source)
        if key not in compiled:
            compiled[key] = compile_one(self, source, *args, **more)
        return compiled[key]

    _replace(Environment, "from_string", from_string)


def whole_writes() -> None:
    """A write to the records that was begun is carried through, also if its caller is told to stop."""
    save = Orders.save

    async def save_whole(self: Orders, snapshot: activities.Snapshot) -> int:
        task = asyncio.ensure_future(save(self, snapshot))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            raise

    if Orders.save.__name__ != save_whole.__name__:
        _replace(Orders, "save", save_whole)


def rare_gc() -> None:
    """What is there at the start is never looked at again by the garbage collector, and the rest rarely."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def lean() -> None:
    """Lazy timers, attributes on a change of state only, compiled mail texts, less collecting of garbage."""
    lazy_timers()
    shown_on_state()
    cached_texts()
    rare_gc()


VARIANTS: dict[str, Callable[[], None]] = {
    cut.__name__: cut
    for cut in (
        whole_writes,
        without_attributes,
        without_details,
        without_records,
        without_sending,
        without_mails,
        lazy_timers,
        shown_on_state,
        cached_texts,
        rare_gc,
        lean,
    )
}
AS_IS = "as_is"


async def run(orders: int) -> None:
    """`orders` lives for each variant and round, the floor in between."""
    measured: dict[str, list[Drive]] = {}
    counted: dict[str, Any] = {}
    ratios: dict[str, list[float]] = {}
    async with stage() as made, made.floor():
        floor, intakes = FloorSide(made.client), Intakes(made)
        await _drive(made, floor, intakes, WARM_UP)
        for _ in range(ROUNDS):
            for name in (AS_IS, *VARIANTS):
                base = await _drive(made, floor, intakes, orders)
                measured.setdefault("floor", []).append(base)
                ratios.setdefault("floor", []).append(1.0)
                console.print(name)
                with_name = ["-m", "bench.variants", name]
                async with made.worker("product", with_name):
                    side = ProductSide(made, looks_into_records=name != "without_records")
                    await _drive(made, side, intakes, WARM_UP)
                    driven = await _drive(made, side, intakes, orders)
                measured.setdefault(name, []).append(driven)
                ratios.setdefault(name, []).append(driven.per_second / base.per_second)
                ids = driven.sp_ids[:COUNTED]
                counted[name] = summary([await count_of(made.client, i) for i in ids])
        ids = [f"floor-{i}" for i in measured["floor"][-1].sp_ids[:COUNTED]]
        counted["floor"] = summary([await count_of(made.client, i) for i in ids])
    figures = {name: _figures(drives) | counted[name] for name, drives in measured.items()}
    for name, figure in figures.items():
        figure["ratio"] = median(ratios[name])
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
    if name != AS_IS:
        whole_writes()
        VARIANTS[name]()
    return worker.main([])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
