"""Reads a file of payments: one payment a line, each on its own, so that a bad line loses none of the others.

docs/contract.md, "Payments", says what a file looks like.
"""

import csv
import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Literal, NamedTuple

from pydantic import TypeAdapter, ValidationError

from domain.errors import InvalidCommand
from domain.fields import CENTIME
from domain.settlements.invoicing import PaymentReference

Column = Literal["settlement_id", "amount", "paid_on", "reference"]
REQUIRED: tuple[Column, ...] = ("settlement_id", "amount", "paid_on")
COLUMNS: tuple[Column, ...] = (*REQUIRED, "reference")
MOST_ROWS = 2000
"""The most payments in a file."""

_LONGEST_ID = 64
_REFERENCE: TypeAdapter[str] = TypeAdapter(PaymentReference)
_AMOUNT = re.compile(r"(\d{1,3}(?:['’]\d{3})+|\d{1,8})(?:[.,](\d{1,2}))?", re.ASCII)
_ISO_DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})", re.ASCII)
_SWISS_DAY = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", re.ASCII)

CellProblem = Literal["missing", "too_long", "not_an_amount", "not_a_day", "not_a_reference"]
LineProblem = Literal["cells", "quotes"]


class Payment(NamedTuple):
    """A payment: of a settlement, by its number; an amount in CHF; on a day; the reference of the bank or nothing."""

    settlement_id: str
    amount: Decimal
    paid_on: date
    reference: str


class Row(NamedTuple):
    """A line of the file with its number, from 1. `payment` is None if it is bad.

    `settlement_id`: as it is written, also in a bad line; empty if the cell cannot be found. `problem`: what is wrong.
    `column`: the cell that is wrong; None if it is the line as a whole.
    """

    line: int
    settlement_id: str
    payment: Payment | None = None
    problem: CellProblem | LineProblem | None = None
    column: Column | None = None


def read_payments(content: bytes) -> tuple[Row, ...]:
    """The payments in a CSV file, without its head and its empty lines.

    The file is UTF-8, with or without a byte order mark. Its first line names the columns, in any order and case; the
    delimiter is a semicolon if that line has one, else a comma.

    Raises:
        InvalidCommand: of the field `file`: it is not UTF-8, has no line, more than `MOST_ROWS` payments, or the first
            line lacks a column, has one twice or an unknown one.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidCommand("file", "not_utf8") from None
    lines = [
        (number, line)
        for number, line in enumerate(re.split(r"\r\n|\n|\r", text), 1)
        if line.strip(" \t;,")
    ]
    if lines and re.fullmatch(
        r"sep=[;,]", lines[0][1].strip().lower()
    ):  # some spreadsheets write it
        del lines[0]
    if not lines:
        raise InvalidCommand("file", "no_payments")
    (_, head), *rows = lines
    delimiter = ";" if ";" in head else ","
    columns = _columns(_cells(head, delimiter))
    if not rows:
        raise InvalidCommand("file", "no_payments")
    if len(rows) > MOST_ROWS:
        raise InvalidCommand("file", "too_many_payments")
    return tuple(_row(number, _cells(line, delimiter), columns) for number, line in rows)


def _cells(line: str, delimiter: str) -> list[str] | None:
    """The cells of a line without blanks around them; None if its quotation marks do not match."""
    try:
        (cells,) = csv.reader([line], delimiter=delimiter, strict=True)
    except (csv.Error, ValueError):
        return None
    return [cell.strip() for cell in cells]


def _columns(head: list[str] | None) -> tuple[Column, ...]:
    """The columns that the first line names.

    Raises `InvalidCommand` of the field `file`.
    """
    named = [cell.lower() for cell in head or ()]
    while named and not named[-1]:  # a delimiter at the end of each line
        named.pop()
    columns = tuple(column for name in named for column in COLUMNS if column == name)
    if len(columns) != len(named):
        raise InvalidCommand("file", "unknown_column")
    if len(set(columns)) != len(columns):
        raise InvalidCommand("file", "column_twice")
    if not set(REQUIRED) <= set(columns):
        raise InvalidCommand("file", "column_missing")
    return columns


def _row(line: int, cells: list[str] | None, columns: Sequence[Column]) -> Row:
    if cells is None:
        return Row(line, "", problem="quotes")
    while len(cells) > len(columns) and not cells[-1]:
        cells.pop()
    if len(cells) == len(columns) - 1 and columns[-1] == "reference":
        cells.append("")
    if len(cells) != len(columns):
        return Row(line, "", problem="cells")
    by_column = dict(zip(columns, cells, strict=True))
    number = by_column["settlement_id"]
    for column in REQUIRED:
        if not by_column[column]:
            return Row(line, number[:_LONGEST_ID], problem="missing", column=column)
    if len(number) > _LONGEST_ID:
        return Row(line, number[:_LONGEST_ID], problem="too_long", column="settlement_id")
    amount, paid_on = read_amount(by_column["amount"]), read_day(by_column["paid_on"])
    if amount is None:
        return Row(line, number, problem="not_an_amount", column="amount")
    if paid_on is None:
        return Row(line, number, problem="not_a_day", column="paid_on")
    try:
        reference = _REFERENCE.validate_python(by_column.get("reference", ""))
    except ValidationError:
        return Row(line, number, problem="not_a_reference", column="reference")
    return Row(line, number, Payment(number.upper(), amount, paid_on, reference))


def read_amount(text: str) -> Decimal | None:
    """A positive amount: "1234.50", "1'234.5", "1234,50", "80". None for another text."""
    match = _AMOUNT.fullmatch(text)
    if match is None:
        return None
    francs = re.sub(r"\D", "", match[1])
    amount = Decimal(f"{francs}.{match[2] or '00'}").quantize(CENTIME)
    return amount if amount > 0 else None


def read_day(text: str) -> date | None:
    """A day: "2026-11-05" or "5.11.2026". None for another text, and for a day that does not exist."""
    if match := _ISO_DAY.fullmatch(text):
        year, month, day = match[1], match[2], match[3]
    elif match := _SWISS_DAY.fullmatch(text):
        day, month, year = match[1], match[2], match[3]
    else:
        return None
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None
