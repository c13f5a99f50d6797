"""Measures time and memory of statements by their number of lines.

Each statement is made three times, in a new process. Loading the libraries is measured separately.
"""

import asyncio
import json
import re
import statistics
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from importlib import import_module
from pathlib import Path

from domain.months import Month
from domain.settlements.account import SettlementAccount
from domain.settlements.ids import settlement_id
from domain.settlements.lines import Line, in_order
from statements.data import Accounting, Letterhead, StatementData

ROUNDS = 3
_SERVICES = (
    ("Waschmaschine anschliessen", "129.00"),
    ("Geschirrspüler einbauen", "189.00"),
    ("Fernseher montieren", "149.50"),
    ("Backofen anschliessen", "1234.50"),
)
_PLACES = ("8004 Zürich", "3012 Bern", "6900 Lugano", "1003 Lausanne", "9000 St. Gallen")


async def run(orders: int) -> None:
    """Measure statements with ten lines, with a tenth of `orders`, and with all of them."""
    # Not where a statement is measured: it loads the client of Temporal, which takes 60 MB.
    from bench.report import keep, table

    figures: dict[str, dict[str, float]] = {}
    for lines in (10, orders // 10, orders):
        rounds = [await _measure(lines) for _ in range(ROUNDS)]
        figures[str(lines)] = {
            name: statistics.median(each[name] for each in rounds) for name in rounds[0]
        }
    table(
        f"A statement (medians of {ROUNDS})",
        ["lines", "pages", "s", "CPU s", "CPU ms a line", "MB", "KB", "CPU s to load"],
        [
            (
                lines,
                f["pages"],
                f["seconds"],
                f["cpu_seconds"],
                f["cpu_seconds"] / int(lines) * 1000,
                f["megabytes"],
                f["bytes"] / 1000,
                f["cpu_seconds_to_load"],
            )
            for lines, f in figures.items()
        ],
    )
    keep("documents", figures, orders=orders)


async def _measure(lines: int) -> dict[str, float]:
    process = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "bench.documents", str(lines)],
        stdout=subprocess.PIPE,
        check=True,
    )
    measured: dict[str, float] = json.loads(process.stdout)
    return measured


def _peak_megabytes() -> float:
    """The peak memory of this process. `getrusage` would count that of its parent, too, when that is more."""
    status = Path("/proc/self/status").read_text()
    (peak,) = re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(peak) / 1024


def _one(lines: int) -> dict[str, float]:
    """Make one statement in this process."""
    data = _statement(lines)
    before = time.process_time()
    document = import_module("statements.document")
    loaded, start = time.process_time(), time.perf_counter()
    made = document.render(data)
    return {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - loaded,
        "cpu_seconds_to_load": loaded - before,
        "megabytes": _peak_megabytes(),
        "bytes": len(made.pdf),
        "pages": made.pages,
    }


def _statement(number: int) -> StatementData:
    now = datetime(2026, 11, 1, tzinfo=UTC)
    lines = [
        Line(
            sp_id=f"SP-{1048213 + index}",
            sales_order_id=str(48392011 + 7 * index),
            executed_on=date(2026, 10, 1) + timedelta(days=index * 30 // number),
            service=_SERVICES[index % len(_SERVICES)][0],
            customer_place=_PLACES[index % len(_PLACES)],
            fee=Decimal(_SERVICES[index % len(_SERVICES)][1]),
        )
        for index in range(number)
    ]
    place = {"street": "Langstrasse 12", "postal_code": "8004", "city": "Zürich"}
    return StatementData(
        settlement=SettlementAccount(
            settlement_id=settlement_id("elektro-huber", Month(2026, 10)),
            partner_id="elektro-huber",
            month=Month(2026, 10),
            lines=in_order(lines),
            opened_at=now,
        ),
        partner=Letterhead(
            partner_id="elektro-huber",
            name="Elektro Huber AG",
            email="info@elektro-huber.example",
            phone="+41 44 555 01 02",
            **place,
        ),
        accounting=Accounting(
            company="Muster Versandhandel AG",
            department="Kreditorenbuchhaltung",
            email="kreditoren@example.ch",
            **place,
        ),
        language="de",
        created=date(2026, 11, 1),
    )


if __name__ == "__main__":
    print(json.dumps(_one(int(sys.argv[1]))))
