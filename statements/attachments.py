"""The lines of a statement for programs: as CSV and as JSON."""

import csv
import io
import json
from typing import Any

from domain.settlement import Line
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
# What a spreadsheet takes for a formula, with the full-width forms that some of them fold.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def statement_rows(data: StatementData) -> list[dict[str, str]]:
    """The lines and corrections, in the order of the statement. Values are texts; what does not apply is empty."""
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
    """The rows for a spreadsheet: UTF-8 with a byte order mark, semicolons, CRLF, as Excel in Switzerland reads it.

    A text that a spreadsheet would take for a formula has an apostrophe before it; amounts are plain numbers.
    """
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, _COLUMNS, delimiter=";", lineterminator="\r\n")
    writer.writeheader()
    for row in statement_rows(data):
        writer.writerow(
            {k: v if k in ("net", "vat", "vat_percent") else _harmless(v) for k, v in row.items()}
        )
    return file.getvalue().encode("utf-8-sig")


def _harmless(text: str) -> str:
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def statement_json(data: StatementData) -> bytes:
    """The settlement for programs: its number, its rows and its sums. Amounts are texts (API.md)."""
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
