"""Fills pages of a fixed height with rows of a table."""

from collections.abc import Sequence
from dataclasses import dataclass, field

LINE = 16.0
"""Pixels from one line of text to the next."""
ROW_SPACE = 6.5
"""What a row has above and below its lines, the rule included."""
_MOST_LINES = 24  # of a row; what is longer goes on in a row of its own


@dataclass(frozen=True, slots=True)
class Row:
    """Lines of text, with a rule below them."""

    lines: Sequence[str]
    kind: str = ""

    @property
    def height(self) -> float:
        """Pixels that it takes."""
        return len(self.lines) * LINE + ROW_SPACE

    @property
    def text(self) -> str:
        """Its lines as one text."""
        return "\n".join(self.lines)


@dataclass(slots=True)
class Page:
    """One page's rows; `tail` is whether what comes after the last row is on it."""

    number: int
    rows: list[Row] = field(default_factory=list)
    tail: bool = False


def split(row: Row) -> list[Row]:
    """The row, or as many as it takes to have none that is too long for a page."""
    pieces = range(0, len(row.lines), _MOST_LINES)
    return [Row(row.lines[first : first + _MOST_LINES], row.kind) for first in pieces]


def paginate(rows: Sequence[Row], first: float, other: float, tail: float) -> list[Page]:
    """Rows on pages: so many pixels for rows on the first page and on each other, and so many for what comes after.

    The last row goes with what comes after it, and a heading (`kind` "heading") with the row that follows.
    """
    needed = [row.height for row in rows]
    if needed:
        needed[-1] += tail
    for index, row in enumerate(rows[:-1]):
        if row.kind == "heading":
            needed[index] += needed[index + 1]
    pages = [Page(1)]
    room = first
    for row, need in zip(rows, needed, strict=True):
        if need > room and (pages[-1].rows or len(pages) == 1):
            pages.append(Page(len(pages) + 1))
            room = other
        pages[-1].rows.append(row)
        room -= row.height
    pages[-1].tail = True
    return pages
