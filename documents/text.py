"""Reduces text to the characters that the fonts of the documents have."""

import unicodedata
from functools import cache
from pathlib import Path

FONTS = Path(__file__).resolve().parent.parent / "templates" / "fonts"

REPLACEMENT = "\ufffd"
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


@cache
def _characters() -> frozenset[int]:
    """The code points of the fonts: the list they are made from, which takes less time to read than a font."""
    listed = (FONTS / "characters.txt").read_text().replace("\n", ",").strip(",")
    ranges = (part.partition("-") for part in listed.split(","))
    return frozenset(
        code
        for first, _, last in ranges
        for code in range(int(first, 16), int(last or first, 16) + 1)
    )


def clean(text: str) -> str:
    """The text in one line, without control characters and with � for each character that the font does not have.

    PDF/A and PDF/UA forbid the glyph for a missing character. Marks of direction are removed, so that a name cannot
    reverse the text around it; runs of white space become one blank.
    """
    shown = []
    for character in unicodedata.normalize("NFC", text):
        if character.isspace():
            shown.append("\u00a0" if character == "\u00a0" else " ")
        elif ord(character) in _characters():
            # The soft hyphen is `Cf`. Every font has it, but it must not be visible.
            if unicodedata.category(character) not in _INVISIBLE:
                shown.append(character)
        elif unicodedata.category(character) not in _INVISIBLE - {"Co", "Cn"}:
            shown.append(REPLACEMENT)
    return " ".join(part for part in "".join(shown).split(" ") if part).strip(" \u00a0")
