"""Tables whose rows are single texts: columns are set with blanks of exact widths.

To WeasyPrint a row is one box with one text in place of a cell for each value, which takes a fraction of the time.
Our fonts have eleven blanks (U+2000 to U+200A), each twice as wide as the one before, the narrowest 0.016 em: together
they bring a text to any place, exact to a tenth of a pixel. In the PDF each counts as an ordinary blank.
All measures are pixels.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from documents.text import SIZE, width, wrap

GAP = 11.0
"""Between a column and the next, at the least."""
_FINEST = 0.016
_BLANKS = [(_FINEST * (1 << power), chr(0x2000 + power)) for power in reversed(range(11))]


class Column(NamedTuple):
    """Where a column is: from its left edge to its right one, its texts at one of them."""

    left: float
    right: float
    align: Literal["left", "right"] = "left"

    def wrap(self, text: str) -> list[str]:
        """A cleaned text in lines that fit."""
        return wrap(text, self.right - self.left)


def blanks(wide: float, size: float = SIZE) -> tuple[str, float]:
    """Blanks that are so wide, and how wide they are in truth; nothing if it would be less than nothing."""
    finest = round(wide / size / _FINEST)
    text, made = "", 0.0
    for each, character in _BLANKS:
        count, finest = divmod(finest, round(each / _FINEST)) if finest > 0 else (0, 0)
        text += character * count
        made += each * count * size
    return text, made


def line(cells: Iterable[tuple[Column, str]], size: float = SIZE, *, bold: bool = False) -> str:
    """One line of a row: cleaned texts, each in its column, from left to right."""
    text, at = "", 0.0
    for column, content in cells:
        if not content:
            continue
        wide = width(content, size, bold=bold)
        start = column.left if column.align == "left" else column.right - wide
        filling, filled = blanks(start - at, size)
        text += filling + content
        at += filled + wide
    return text


def row(cells: Sequence[tuple[Column, Sequence[str]]]) -> list[str]:
    """The lines of a row from the lines of its cells."""
    most = max(len(lines) for _, lines in cells)
    return [
        line((column, lines[number] if number < len(lines) else "") for column, lines in cells)
        for number in range(most)
    ]


class Wanted(NamedTuple):
    """A column by what it has to hold: the widest text, its label included. `limit`: what is longer is broken."""

    widest: float
    limit: float = math.inf
    align: Literal["left", "right"] = "left"


def columns(wanted: Sequence[Wanted], room: float, shared: tuple[int, int]) -> list[Column]:
    """Columns next to each other, as wide as they want within their limits.

    The two of `shared` get what the others leave: the second what it wants, from three to four tenths, the first the
    rest.
    """
    widths = [min(each.widest, each.limit) for each in wanted]
    first, second = shared
    rest = room - GAP * (len(wanted) - 1)
    rest -= sum(w for index, w in enumerate(widths) if index not in shared)
    widths[second] = min(max(wanted[second].widest, rest * 0.3), rest * 0.4)
    widths[first] = rest - widths[second]
    made, left = [], 0.0
    for each, wide in zip(wanted, widths, strict=True):
        made.append(Column(left, left + wide, each.align))
        left += wide + GAP
    return made
