"""How fast the records are read and written, with n and with ten times as many orders, on both databases.

Called by `python -m bench records --orders 10000` (10,000 against 100,000). PostgreSQL is a throw-away
cluster without fsync, so its writes are faster than a production server's; reads do not care.
"""

import gc
import random
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert, text
from sqlalchemy.engine import make_url

from bench.report import console, keep, milliseconds, percentile, table
from contracts.activities import Snapshot
from domain.orders.events import Recorded
from domain.orders.order import Order, Status
from records.database import Database
from records.migrate import migrate
from records.orders import OrderFilter, Orders, deadline_rows, document_row, order_row
from records.tables import deadlines, documents, orders
from tests.builders import (
    AGREED,
    BILLED,
    COMPLETED,
    GOODS_THERE,
    MONDAY,
    REQUIREMENTS_MET,
    TRANSMITTED,
    lived,
)
from tests.postgres import NoPostgres, running_postgres

PARTNERS = 40
REPEATS = 210
WARM_UP = 10
_CHUNK = 1000
_NAMES = ("Müller", "Meier", "Schmid", "Keller", "Favre", "Rossi", "Brunner", "Zürcher")
_PLACES = (("8004", "Zürich"), ("6003", "Luzern"), ("1204", "Genève"), ("6900", "Lugano"))
# Of ten orders five are history, the others spread over the open states.
_LIVES = [*[BILLED] * 5, COMPLETED, AGREED, GOODS_THERE, REQUIREMENTS_MET, TRANSMITTED]

Job = Callable[[], Awaitable[Any]]


async def run(count: int) -> None:
    """Fill `count` and ten times as many orders, measure, show and keep."""
    counts = (count, count * 10)
    figures: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        urls = [f"sqlite+aiosqlite:///{Path(folder) / f'{n}.db'}" for n in counts]
        figures["sqlite"] = await _both_sizes(urls, counts)
    try:
        with running_postgres() as url:
            async with _opened(url) as server:
                for n in counts:
                    await _outside_transactions(server, f"CREATE DATABASE cmi_{n}")
            urls = [
                make_url(url).set(database=f"cmi_{n}").render_as_string(hide_password=False)
                for n in counts
            ]
            figures["postgresql"] = await _both_sizes(urls, counts)
    except NoPostgres as missing:
        console.print(f"PostgreSQL left out: {missing}")
    for name, measured in figures.items():
        table(
            f"{name}: milliseconds, {counts[0]:,} and {counts[1]:,} orders of {PARTNERS} partners",
            ("what", "p50", "p95", "p50 of ten times", "p95", "growth of p50", "of p95"),
            [
                (
                    what,
                    *(milliseconds(m[share]) for m in sizes for share in ("p50", "p95")),
                    *(sizes[1][share] / sizes[0][share] for share in ("p50", "p95")),
                )
                for what, sizes in measured.items()
            ],
        )
    keep("records", figures, orders=count, partners=PARTNERS)


async def _both_sizes(urls: Sequence[str], counts: Sequence[int]) -> dict[str, Any]:
    async with AsyncExitStack() as stack:
        jobs = []
        for url, count in zip(urls, counts, strict=True):
            await migrate(url)
            database = await stack.enter_async_context(_opened(url))
            await fill(database, count)
            jobs.append(_jobs(database, count))
        # As a server does once it is up: otherwise each twentieth page waits for Python's garbage collector.
        gc.collect()
        gc.freeze()
        return {what: await _time([each[what] for each in jobs]) for what in jobs[0]}


async def _outside_transactions(database: Database, statement: str) -> None:
    engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(statement))


@asynccontextmanager
async def _opened(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    try:
        yield database
    finally:
        await database.close()


async def fill(database: Database, count: int) -> None:
    """`count` orders as `Orders.save` would leave them, many in one statement, and without their timelines."""
    templates = [lived(*steps)[0] for steps in _LIVES]
    for start in range(0, count, _CHUNK):
        batch = [
            _order(n, templates[n % len(templates)])
            for n in range(start, min(start + _CHUNK, count))
        ]
        async with database.writing() as connection:
            await connection.execute(insert(orders), [order_row(order) for order in batch])
            await connection.execute(insert(documents), [document_row(order) for order in batch])
            await connection.execute(
                insert(deadlines), [row for order in batch for row in deadline_rows(order)]
            )
    if not database.is_sqlite:  # by itself it would do so a minute later
        await _outside_transactions(database, "VACUUM ANALYZE")


def _order(n: int, template: Order) -> Order:
    postal_code, city = _PLACES[n // 3 % len(_PLACES)]
    placed = template.intake.placement
    placed = placed.model_copy(
        update={
            "sp_id": f"SP-{n:07}",
            "sales_order_id": f"48{n * 7919 % 1_000_000:06}",
            "customer": placed.customer.model_copy(
                update={
                    "name": f"{_NAMES[n // 7 % len(_NAMES)]} {n % 977}",
                    "postal_code": postal_code,
                    "city": city,
                }
            ),
        }
    )
    partner = template.partner.model_copy(update={"partner_id": partner_id(n // len(_LIVES))})
    return template.model_copy(
        update={
            "intake": template.intake.model_copy(update={"placement": placed, "partner": partner}),
            "partner": partner,
            "placed_at": MONDAY + timedelta(seconds=n * 61),
        }
    )


def partner_id(n: int) -> str:
    """The partner of the n-th ten orders."""
    return f"partner-{n % PARTNERS:02}"


def _jobs(database: Database, count: int) -> dict[str, Job]:
    records = Orders(database)
    chance = random.Random(1)
    new: list[tuple[Order, tuple[Recorded, ...]]] = [
        lived(*TRANSMITTED, sp_id=f"SP-new-{count}-{n}") for n in range(REPEATS)
    ]
    now = MONDAY + timedelta(days=1)

    def own(**conditions: Any) -> OrderFilter:
        return OrderFilter(partner_id=partner_id(chance.randrange(PARTNERS)), **conditions)

    async def both(which: OrderFilter) -> None:
        await records.page(which)
        await records.counts(which)

    async def second_page(which: OrderFilter) -> None:
        page = await records.page(which)
        await records.page(which, cursor=page.next_cursor)

    async def save() -> None:
        order, events = new.pop()
        await records.save(Snapshot(order=order, events=events))

    return {
        "partner: page and counts": lambda: both(own()),
        "partner: page": lambda: records.page(own()),
        "partner: counts": lambda: records.counts(own()),
        "partner: two pages": lambda: second_page(own()),
        "partner: one state": lambda: records.page(own(status=Status.NEW)),
        "partner: most urgent": lambda: records.page(own(), sort="urgent"),
        "partner: overdue, with counts": lambda: both(own(overdue_at=now)),
        "partner: search, with counts": lambda: both(own(q="müller 7")),
        "staff: page": lambda: records.page(OrderFilter()),
        "staff: counts": lambda: records.counts(OrderFilter()),
        "staff: most urgent": lambda: records.page(OrderFilter(), sort="urgent"),
        "staff: search for one SP-ID": lambda: records.page(
            OrderFilter(q=f"sp-{chance.randrange(count):07}")
        ),
        "staff: its counts": lambda: records.counts(
            OrderFilter(q=f"sp-{chance.randrange(count):07}")
        ),
        "staff: search for a name": lambda: records.page(OrderFilter(q="keller")),
        "one order": lambda: records.get(f"SP-{chance.randrange(count):07}"),
        "save (3 events)": save,
    }


async def _time(jobs: Sequence[Job]) -> list[dict[str, float]]:
    """The same job on each database by turns, so that what else the machine does falls on all."""
    taken: list[list[float]] = [[] for _ in jobs]
    for n in range(REPEATS):
        for job, times in zip(jobs, taken, strict=True):
            begun = time.perf_counter()
            await job()
            if n >= WARM_UP:
                times.append(time.perf_counter() - begun)
    return [{"p50": percentile(times, 0.5), "p95": percentile(times, 0.95)} for times in taken]
