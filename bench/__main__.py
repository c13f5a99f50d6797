"""The benchmarks: a table on the screen and `bench/results/<name>.json` for each.

Everything runs on this machine in a temporary folder: the real Temporal server on its file, a worker process like
production's, a real SMTP server, SQLite records. Machines differ and are noisy: only ratios within one run count.
"""

import argparse
import sys
from collections.abc import Callable, Coroutine, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import uvloop

from bench.report import console


class Bench(NamedTuple):
    """A benchmark: its module, and how many orders it takes if nobody says."""

    module: str
    orders: int
    meaning: str


BENCHES = {
    "lives": Bench("bench.lives", 150, "whole lives a second, events, bytes, billable actions"),
    "latency": Bench("bench.latency", 160, "how long one update takes"),
    "api": Bench("bench.api", 20, "what the HTTP API adds to one update"),
    "memory": Bench("bench.memory", 1000, "memory of an open order"),
    "replay": Bench("bench.replay", 40, "histories a second"),
    "records": Bench("bench.records", 2000, "reading and writing the records"),
    "overview": Bench("bench.overview", 100_000, "a partner's overview, from the server"),
    "settlement": Bench("bench.settlement", 2000, "orders of one partner settled a second"),
    "documents": Bench("bench.documents", 2000, "time and memory of a statement as PDF"),
}
ALL = (
    "lives",
    "latency",
    "api",
    "memory",
    "replay",
    "records",
    "overview",
    "settlement",
    "documents",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        epilog="; ".join(f"{name}: {b.meaning} ({b.orders} orders)" for name, b in BENCHES.items()),
    )
    parser.add_argument("what", nargs="?", default="all", choices=[*BENCHES, "all"])
    parser.add_argument("--orders", type=int, help="how many orders (see below)")
    options = parser.parse_args(arguments)
    for name in ALL if options.what == "all" else (options.what,):
        bench = BENCHES[name]
        console.rule(f"{name}: {bench.meaning}")
        run: Callable[[int], Coroutine[Any, Any, None]] = import_module(bench.module).run
        uvloop.run(run(options.orders or bench.orders))
    return 0


if __name__ == "__main__":
    sys.exit(main())
