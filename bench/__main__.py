"""Runs the benchmarks: each prints a table and writes its figures to `bench/results/<name>.json`.

Everything runs on this machine in a temporary folder: the real Temporal server on its file, a worker process as in
production, a real SMTP server, SQLite records. Other load on the machine changes the figures; compare only figures of
one run.
"""

import argparse
import sys
from collections.abc import Callable, Coroutine, Sequence
from importlib import import_module
from typing import Any

import uvloop

from bench.report import console

BENCHMARKS = {
    "lives": (150, "whole orders a second and their events, against a bare workflow"),
    "api": (20, "what the HTTP API adds to one update"),
    "overview": (100_000, "how long a partner's overview page takes"),
    "records": (1_000_000, "lists and overviews on PostgreSQL, and how they grow with the orders"),
    "settlement": (2000, "orders of one partner that a settlement bills a second"),
    "cost": (20, "what one order costs in events, actions, rows, bytes and processor time"),
    "fairness": (2000, "how long a partner waits while another one gets that many orders at once"),
    "documents": (2000, "time and memory of a statement as PDF"),
}
"""The benchmarks by module name: the default number of orders, and what each measures."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        epilog="; ".join(
            f"{name}: {what} ({orders} orders)" for name, (orders, what) in BENCHMARKS.items()
        ),
    )
    parser.add_argument("name", nargs="?", default="all", choices=[*BENCHMARKS, "all"])
    parser.add_argument("--orders", type=int, help="how many orders (defaults below)")
    options = parser.parse_args(arguments)
    for name in BENCHMARKS if options.name == "all" else (options.name,):
        orders, what = BENCHMARKS[name]
        console.rule(f"{name}: {what}")
        run: Callable[[int], Coroutine[Any, Any, None]] = import_module(f"bench.{name}").run
        uvloop.run(run(options.orders or orders))
    return 0


if __name__ == "__main__":
    sys.exit(main())
