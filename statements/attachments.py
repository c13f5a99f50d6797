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
)
_VAT = "vat"  # rounded on each line, under version 1 of the rules


def statement_rows(data: StatementData) -> list[dict[str, str]]:
    """The lines and corrections, in the order of the statement. Values are texts; missing ones are empty.

    Amounts are net. The VAT of a line is among them only if VAT is rounded on each line.
    """
    rows = []
    for line in data.settlement.all_lines:
        percent = data.settlement.percent(line)
        vat = {_VAT: str(data.settlement.vat_on(line))} if _shows_vat(data) else {}
        values = line.model_dump(mode="json", exclude_none=True)
        net = values.pop("fee", "") or values.pop("amount", "")
        rows.append(
            dict.fromkeys(_COLUMNS, "")
            | values
            | {
                "type": "order" if isinstance(line, Line) else "correction",
                "net": net,
                "vat_percent": "" if percent is None else str(percent),
            }
            | vat
        )
    return rows


def statement_csv(data: StatementData) -> bytes:
    """The rows as CSV for a spreadsheet; amounts are plain numbers."""
    columns = (*_COLUMNS, _VAT) if _shows_vat(data) else _COLUMNS
    return csv_file(columns, statement_rows(data), numbers=("net", "vat", "vat_percent"))


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
        "vat_rates": [part.model_dump(mode="json") for part in settlement.vat_sums],
        "vat": str(settlement.vat),
        "total": str(settlement.total),
    }
    return json.dumps(content, ensure_ascii=False, indent=1).encode() + b"\n"


def _shows_vat(data: StatementData) -> bool:
    return data.settlement.rounds_each_line
