"""The lines of a statement for programs: as CSV and as JSON."""

import json
from typing import Any

from domain.settlements.lines import Line
from domain.spreadsheet import csv_file
from statements.data import StatementData

_COLUMNS = (
    "type",
    "sp_id",
    "sales_order_id",
    "executed_on",
    "service",
    "customer_place",
    "reason",
    "net",
    "vat_percent",
    "vat",
)


def statement_rows(data: StatementData) -> list[dict[str, str]]:
    """The lines and corrections, in the order of the statement. Values are texts; missing ones are empty."""
    rows = []
    for line in data.settlement.all_lines:
        percent = data.settlement.percent(line)
        values = line.model_dump(mode="json", exclude_none=True)
        net = values.pop("fee", "") or values.pop("amount", "")
        rows.append(
            dict.fromkeys(_COLUMNS, "")
            | values
            | {
                "type": "order" if isinstance(line, Line) else "correction",
                "net": net,
                "vat_percent": "" if percent is None else str(percent),
                "vat": str(data.settlement.vat_on(line)),
            }
        )
    return rows


def statement_csv(data: StatementData) -> bytes:
    """The rows as CSV for a spreadsheet; amounts are plain numbers."""
    return csv_file(_COLUMNS, statement_rows(data), numbers=("net", "vat", "vat_percent"))


def statement_json(data: StatementData) -> bytes:
    """The settlement as JSON for programs: its number, rows and sums. Amounts are text."""
    settlement = data.settlement
    content: dict[str, Any] = {
        "settlement_id": settlement.settlement_id,
        "partner_id": settlement.partner_id,
        "month": str(settlement.month),
        "created": data.created.isoformat(),
        "currency": "CHF",
        "lines": statement_rows(data),
        "net": str(settlement.net),
        "vat": str(settlement.vat),
        "total": str(settlement.total),
    }
    return json.dumps(content, ensure_ascii=False, indent=1).encode() + b"\n"
