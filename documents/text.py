"""Text as our fonts can show it: cleaned, measured and broken into lines.

Documents are laid out here, not by WeasyPrint: measuring a line takes microseconds, and to know beforehand where each
page ends is what lets a long document be rendered in parts (`documents/pdf.py`). Our fonts have neither kerning nor
ligatures, so that a text is as wide as its letters together.
"""

import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from fontTools.ttLib import TTFont

FONTS = Path(__file__).resolve().parent.parent / "templates" / "fonts"
SIZE = 12.0
"""Pixels (9 pt), the size of a document's text."""

_ROUNDING = 0.01

REPLACEMENT = "\ufffd"
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


@lru_cache(maxsize=2)
def _advances(bold: bool) -> Mapping[int, float]:
    """The width of each character that the font has, for a size of one."""
    with TTFont(FONTS / f"CMISans-{'Bold' if bold else 'Regular'}.ttf", lazy=True) as font:
        widths, units = font["hmtx"].metrics, font["head"].unitsPerEm
        return {code: widths[glyph][0] / units for code, glyph in font.getBestCmap().items()}


def clean(text: str) -> str:
    """The text in one line, as the fonts can show it.

    Control characters, marks of direction and the like are gone, blanks are single, and what the fonts do not have is
    shown as such: what is on paper must not depend on the fonts of a machine.
    """
    known = _advances(False)
    shown = []
    for character in unicodedata.normalize("NFC", text):
        if character.isspace():
            shown.append("\u00a0" if character == "\u00a0" else " ")
        elif ord(character) in known:
            # The soft hyphen is `Cf` and in every font; nobody wants to see it.
            if unicodedata.category(character) not in _INVISIBLE:
                shown.append(character)
        elif unicodedata.category(character) not in _INVISIBLE - {"Co", "Cn"}:
            shown.append(REPLACEMENT)
    return " ".join(part for part in "".join(shown).split(" ") if part).strip(" \u00a0")


def width(text: str, size: float = SIZE, *, bold: bool = False) -> float:
    """How wide a cleaned text is, in pixels."""
    advances = _advances(bold)
    return size * sum(advances[ord(character)] for character in text)


def wrap(text: str, room: float, size: float = SIZE, *, bold: bool = False) -> list[str]:
    """A cleaned text in lines that are no wider than `room` pixels, broken at blanks, and inside of a long word.

    One line at least. A line holds one character at least, however narrow the room.
    """
    room += _ROUNDING
    if width(text, size, bold=bold) <= room:
        return [text]
    blank = width(" ", size, bold=bold)
    lines: list[str] = []
    line, used = "", 0.0
    for word in text.split(" "):
        wide = width(word, size, bold=bold)
        if line and used + blank + wide <= room:
            line, used = f"{line} {word}", used + blank + wide
            continue
        if line:
            lines.append(line)
        while wide > room and len(word) > 1:
            head = _fitting(word, room, size, bold)
            lines.append(word[:head])
            word = word[head:]
            wide = width(word, size, bold=bold)
        line, used = word, wide
    return [*lines, line]


def _fitting(word: str, room: float, size: float, bold: bool) -> int:
    """How many characters of a word fit, preferably up to and with a hyphen, a slash or the like."""
    used, count, after_mark = 0.0, 0, 0
    for character in word:
        used += width(character, size, bold=bold)
        if used > room:
            break
        count += 1
        if character in "-/_.,;:@":
            after_mark = count
    return after_mark or max(count, 1)
