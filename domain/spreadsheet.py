"""Tables for spreadsheets: CSV that Excel reads in Switzerland, and in which no text becomes a formula."""

import csv
import io
from collections.abc import Collection, Iterable, Mapping, Sequence

MEDIA_TYPE = "text/csv; charset=utf-8"
_END = "\r\n"
# What begins a formula in a spreadsheet, with the full-width forms that some programs read in the same way.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_file(
    columns: Sequence[str],
    rows: Iterable[Mapping[str, str]],
    numbers: Collection[str] = (),
) -> bytes:
    """A table: UTF-8 with a byte order mark, semicolons, CRLF.

    A text that a spreadsheet would take for a formula has an apostrophe before it; the columns `numbers` are plain.
    """
    return csv_head(columns) + csv_rows(columns, rows, numbers)


def csv_head(columns: Sequence[str]) -> bytes:
    """The beginning of a table that is written in parts: byte order mark and names of the columns."""
    return (";".join(columns) + _END).encode("utf-8-sig")


def csv_rows(
    columns: Sequence[str],
    rows: Iterable[Mapping[str, str]],
    numbers: Collection[str] = (),
) -> bytes:
    """Rows of a table, as in `csv_file`, without its beginning."""
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, columns, delimiter=";", lineterminator=_END)
    for row in rows:
        writer.writerow({k: v if k in numbers else _harmless(v) for k, v in row.items()})
    return file.getvalue().encode()


def _harmless(text: str) -> str:
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text
