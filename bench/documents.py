"""What the settlement statement costs: time and memory a line, beside other ways to make a PDF of the same table.

Each document is made in a fresh process, three times; times are without loading the library (that stands beside).
"""

import asyncio
import importlib
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from html import escape
from io import BytesIO
from typing import Any

from bench.report import keep, table
from documents import formats
from domain.months import Month
from domain.settlements.account import SettlementAccount
from domain.settlements.ids import settlement_id
from domain.settlements.lines import Line, in_order
from statements.data import Accounting, Letterhead, StatementData

ROUNDS = 3
KINDS = (
    "statement, 2 processes",
    "statement, 1 process",
    "WeasyPrint, plain table",
    "ReportLab",
    "typst",
)
_HEAD = ("SP-ID", "Verkaufsauftrag", "Ausgeführt", "Dienstleistung", "Ort", "Betrag CHF")
_SERVICES = (
    ("Waschmaschine anschliessen", "129.00"),
    ("Geschirrspüler einbauen", "189.00"),
    ("Fernseher montieren", "149.50"),
    ("Backofen anschliessen", "1234.50"),
)
_PLACES = ("8004 Zürich", "3012 Bern", "6900 Lugano", "1003 Lausanne", "9000 St. Gallen")


async def run(orders: int) -> None:
    """Ten lines, a tenth of `orders`, and all of them."""
    figures: dict[str, Any] = {kind: {} for kind in KINDS}
    for lines in (10, orders // 10, orders):
        rounds: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
        for _ in range(ROUNDS):
            for kind in KINDS:
                rounds[kind].append(await _measure(kind, lines))
        for kind, measured in rounds.items():
            median = {
                name: statistics.median(each[name] for each in measured) for name in measured[0]
            }
            median["ms_per_line"] = median["seconds"] / lines * 1000
            median["cpu_ms_per_line"] = median["cpu_seconds"] / lines * 1000
            figures[kind][str(lines)] = median
    for lines in (10, orders // 10, orders):
        table(
            f"A PDF of {lines} lines (medians of {ROUNDS})",
            ["", "s", "ms a line", "CPU ms a line", "MB", "MB a child", "KB", "s to load"],
            [
                (
                    kind,
                    f["seconds"],
                    f["ms_per_line"],
                    f["cpu_ms_per_line"],
                    f["megabytes"],
                    f["megabytes_of_a_child"],
                    f["bytes"] / 1000,
                    f["load_seconds"],
                )
                for kind in KINDS
                if (f := figures[kind][str(lines)])
            ],
        )
    keep("documents", figures, orders=orders)


async def _measure(kind: str, lines: int) -> dict[str, float]:
    process = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "bench.documents", kind, str(lines)],
        stdout=subprocess.PIPE,
        check=False,
    )
    if process.returncode:
        raise RuntimeError(f"{kind}: {process.returncode}")
    measured: dict[str, float] = json.loads(process.stdout)
    return measured


def _one(kind: str, lines: int) -> dict[str, float]:
    """Make one document in this process."""
    data = _statement(lines)
    start = time.perf_counter()
    make = _maker(kind)
    loaded = time.perf_counter()
    before = _processor()
    pdf = make(data)
    seconds = time.perf_counter() - loaded
    own, children = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return {
        "seconds": seconds,
        "cpu_seconds": _processor() - before,
        "load_seconds": loaded - start,
        "megabytes": own.ru_maxrss / 1024,
        "megabytes_of_a_child": children.ru_maxrss / 1024,
        "bytes": len(pdf),
    }


def _processor() -> float:
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


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


def _rows(settlement: SettlementAccount) -> list[Sequence[str]]:
    return [
        (
            line.sp_id,
            line.sales_order_id,
            formats.day(line.executed_on),
            line.service,
            line.customer_place,
            formats.money(line.fee),
        )
        for line in settlement.lines
    ]


def _maker(kind: str) -> Callable[[StatementData], bytes]:
    """What makes a document of this kind, its library loaded."""
    if kind.startswith("statement"):
        document = importlib.import_module("statements.document")
        processes = int(kind.split()[1])
        return lambda data: bytes(document.render(data, processes=processes).pdf)
    if kind == "ReportLab":
        importlib.import_module("reportlab.platypus")
        return _reportlab
    if kind == "typst":
        importlib.import_module("typst")
        return _typst
    importlib.import_module("weasyprint")
    return _weasyprint


def _weasyprint(data: StatementData) -> bytes:
    import weasyprint

    head = "".join(f"<th>{name}</th>" for name in _HEAD)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>"
        for row in _rows(data.settlement)
    )
    html = f"""<style>@page {{ size: A4; margin: 17mm;
          @bottom-right {{ content: counter(page) " / " counter(pages) }} }}
        body {{ font: 9pt "DejaVu Sans" }} table {{ width: 100%; border-collapse: collapse }}
        td, th {{ padding: 3px 4px; border-bottom: .5px solid #ccc; text-align: left }}
        td:last-child {{ text-align: right }}</style>
        <table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"""
    made = weasyprint.HTML(string=html).write_pdf(pdf_variant="pdf/a-3b")
    assert isinstance(made, bytes)
    return made


def _reportlab(data: StatementData) -> bytes:
    from reportlab.lib import colors
    from reportlab.lib.pagesizes import A4
    from reportlab.platypus import LongTable, SimpleDocTemplate, TableStyle

    def number(canvas: Any, document: Any) -> None:
        canvas.drawRightString(550, 30, str(document.page))

    file = BytesIO()
    style = TableStyle(
        [
            ("FONTSIZE", (0, 0), (-1, -1), 9),
            ("LINEBELOW", (0, 0), (-1, -1), 0.3, colors.lightgrey),
            ("ALIGN", (-1, 0), (-1, -1), "RIGHT"),
        ]
    )
    made = LongTable([_HEAD, *_rows(data.settlement)], repeatRows=1, style=style)
    SimpleDocTemplate(file, pagesize=A4).build([made], onFirstPage=number, onLaterPages=number)
    return file.getvalue()


def _typst(data: StatementData) -> bytes:
    import typst

    def cell(text: str) -> str:
        return json.dumps(text, ensure_ascii=False)

    rows = ",".join(cell(text) for row in _rows(data.settlement) for text in row)
    source = f"""#set page(paper: "a4", margin: 17mm, numbering: "1 / 1")
        #set text(size: 9pt)
        #table(columns: 6, stroke: (bottom: .3pt + gray), align: (left,) * 5 + (right,),
          table.header({",".join(map(cell, _HEAD))}), {rows})"""
    made = typst.compile(source.encode(), format="pdf", pdf_standards="a-3b")
    assert isinstance(made, bytes)
    return made


if __name__ == "__main__":
    print(json.dumps(_one(sys.argv[1], int(sys.argv[2]))))
