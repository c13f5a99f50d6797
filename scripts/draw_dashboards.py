"""Draws the dashboards of ops/grafana as pictures from the data of a Prometheus, without Grafana.

python scripts/draw_dashboards.py http://127.0.0.1:9090 docs/images --minutes 10
"""

import argparse
import html
import json
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import httpx

ROOT = Path(__file__).resolve().parent.parent
WIDTH, COLUMN, ROW = 1440, 60, 28
COLOURS = (
    "#1f77b4", "#d95f02", "#2ca02c", "#c2185b", "#7b52ab", "#8c6d31", "#00838f", "#616161",
    "#9e9d24", "#5d4037",
)  # fmt: skip
MOST_NAMED = 7


class Line(NamedTuple):
    """A series: its name, and its points as (seconds, value)."""

    name: str
    points: list[tuple[float, float]]


def read(prometheus: httpx.Client, panel: dict[str, Any], start: float, end: float) -> list[Line]:
    """The series of a panel between two instants."""
    lines = []
    for target in panel["targets"]:
        expression = target["expr"].replace("[5m]", "[1m]")
        given = {"query": expression, "start": start, "end": end, "step": 5}
        answer = prometheus.get("/api/v1/query_range", params=given)
        answer.raise_for_status()
        for series in answer.json()["data"]["result"]:
            name = target["legendFormat"]
            for label, value in series["metric"].items():
                name = name.replace("{{" + label + "}}", value)
            points = [(float(at), float(value)) for at, value in series["values"]]
            lines.append(Line(name, [p for p in points if math.isfinite(p[1])]))
    return sorted((line for line in lines if line.points), key=_largest, reverse=True)


def _largest(line: Line) -> float:
    return max(value for _, value in line.points)


def amount(value: float, unit: str) -> str:
    """A value with its unit, in short form."""
    if unit == "s" and value < 1:
        return f"{value * 1000:.3g} ms"
    if unit == "s" and value >= 172_800:
        return f"{value / 86_400:.3g} d"
    if unit == "bytes":
        return f"{value / 2**20:.0f} MiB"
    shown = f"{value:.3g}" if value < 1000 else f"{value:.0f}"
    return {"s": f"{shown} s", "reqps": f"{shown}/s", "ops": f"{shown}/s"}.get(unit, shown)


def draw_panel(panel: dict[str, Any], lines: Sequence[Line], start: float, end: float) -> list[str]:
    """A panel at its place."""
    place, unit = panel["gridPos"], panel["fieldConfig"]["defaults"]["unit"]
    x, y = place["x"] * COLUMN + 4, place["y"] * ROW + 48
    width, height = place["w"] * COLUMN - 8, place["h"] * ROW - 8
    drawn = [
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="#fff" stroke="#d0d7de" rx="4"/>',
        f'<text x="{x + 10}" y="{y + 18}" font-weight="bold">{html.escape(panel["title"])}</text>',
    ]
    if not lines:
        return [*drawn, f'<text x="{x + 10}" y="{y + 40}" fill="#6e7781">nothing</text>']
    if panel["type"] == "stat":
        value = amount(lines[0].points[-1][1], unit)
        return [*drawn, f'<text x="{x + 10}" y="{y + 66}" font-size="32">{value}</text>']
    top = max(value for line in lines for _, value in line.points) or 1.0
    left, right = float(x + 64), float(x + width - 190)
    upper, lower = float(y + 30), float(y + height - 24)

    def across(at: float) -> float:
        return left + (at - start) / (end - start) * (right - left)

    def up(value: float) -> float:
        return lower - value / top * (lower - upper)

    for part in (0, 0.5, 1):
        level = up(top * part)
        drawn += [
            f'<line x1="{left}" x2="{right}" y1="{level:.1f}" y2="{level:.1f}" stroke="#eaeef2"/>',
            f'<text x="{left - 6}" y="{level + 4:.1f}" text-anchor="end" fill="#6e7781">'
            f"{amount(top * part, unit)}</text>",
        ]
    for part in (0, 0.5, 1):
        at = start + (end - start) * part
        shown = time.strftime("%H:%M", time.gmtime(at))
        drawn.append(
            f'<text x="{across(at):.1f}" y="{lower + 16}" text-anchor="middle" fill="#6e7781">{shown}</text>'
        )
    for number, line in enumerate(lines):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{across(at):.1f},{up(value):.1f}" for at, value in line.points)
        drawn.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        )
        if number < MOST_NAMED:
            name = html.escape(line.name if len(line.name) < 26 else line.name[:25] + "…")
            drawn.append(
                f'<text x="{right + 10}" y="{upper + 10 + number * 17}" fill="{colour}">{name}</text>'
            )
    if len(lines) > MOST_NAMED:
        more = f"and {len(lines) - MOST_NAMED} more"
        drawn.append(
            f'<text x="{right + 10}" y="{upper + 10 + MOST_NAMED * 17}" fill="#6e7781">{more}</text>'
        )
    return drawn


def draw(dashboard: dict[str, Any], prometheus: httpx.Client, start: float, end: float) -> str:
    """A dashboard as SVG."""
    panels = dashboard["panels"]
    height = max((p["gridPos"]["y"] + p["gridPos"]["h"]) * ROW for p in panels) + 56
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="Helvetica,Arial,sans-serif" font-size="12" fill="#1f2328">',
        f'<rect width="{WIDTH}" height="{height}" fill="#f6f8fa"/>',
        f'<text x="12" y="30" font-size="18" font-weight="bold">{html.escape(dashboard["title"])}</text>',
    ]
    for panel in panels:
        parts += draw_panel(panel, read(prometheus, panel, start, end), start, end)
    return "\n".join([*parts, "</svg>", ""])


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("prometheus", help="its address")
    parser.add_argument("folder", type=Path, help="where the pictures are written")
    parser.add_argument("--minutes", type=float, default=60, help="how much of the past is shown")
    options = parser.parse_args(arguments)
    end = time.time()
    with httpx.Client(base_url=options.prometheus, timeout=30) as prometheus:
        for path in sorted((ROOT / "ops" / "grafana").glob("*.json")):
            picture = draw(
                json.loads(path.read_text()), prometheus, end - options.minutes * 60, end
            )
            (options.folder / f"dashboard-{path.stem}.svg").write_text(picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
