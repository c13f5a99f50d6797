"""Tables for spreadsheets: CSV that Excel reads in Switzerland, and in which no text becomes a formula."""

import csv
import io
from collections.abc import Collection, Iterable, Mapping, Sequence

MEDIA_TYPE = "text/csv; charset=utf-8"
# What a spreadsheet takes for a formula, with the full-width forms that some of them fold.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_file(
    columns: Sequence[str],
    rows: Iterable[Mapping[str, str]],
    numbers: Collection[str] = (),
) -> bytes:
    """A table: UTF-8 with a byte order mark, semicolons, CRLF.

    A text that a spreadsheet would take for a formula has an apostrophe before it; the columns `numbers` are plain.
    """
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, columns, delimiter=";", lineterminator="\r\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: v if k in numbers else _harmless(v) for k, v in row.items()})
    return file.getvalue().encode("utf-8-sig")


def _harmless(text: str) -> str:
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text
