"""Telephone numbers in the form in which a telephone dials them."""

import re

_NUMBER = re.compile(r"\+?[0-9()/. \u00a0-]{6,30}")


def dialled(text: str) -> str:
    """The number that a text such as "+41 (0)44 555 00 00" means: "+41445550000". Empty if the text is none."""
    written = text.strip()
    if _NUMBER.fullmatch(written) is None:
        return ""
    digits = re.sub(r"[^0-9]", "", written.replace("(0)", ""))
    return f"{'+' if written.startswith('+') else ''}{digits}" if digits else ""
