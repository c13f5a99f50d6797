"""The templates and words of the documents, and the version of the template that is stored with a document."""

import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from documents import formats
from documents.text import FONTS, clean
from domain.settlements.account import SettlementAccount
from domain.settlements.lines import amount_of
from domain.values import Language
from words.documents import DocumentKind, document_words

_ROOT = Path(__file__).resolve().parent.parent
_TEMPLATES = _ROOT / "templates"
_GAP = 1.2  # `ch` between two columns


@cache
def words_of(document: DocumentKind, language: Language) -> Mapping[str, Any]:
    """The words of a document in a language (`words/documents.py`)."""
    return document_words(document, language)


def html_of(template: str, **values: Any) -> str:
    """A template's HTML. Each text that it prints is cleaned (`documents.text.clean`) and escaped."""
    return _environment().get_template(template).render(values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_cleaned,
    )
    environment.filters |= {
        "money": formats.money,
        "percent": formats.percent,
        "day": formats.day,
        "amount": amount_of,
        "thousands": lambda number: f"{number:,}".replace(",", formats.SEPARATOR),
        "unbroken": lambda text: text.replace(" ", "\u00a0"),
    }
    return environment


def _cleaned(value: object) -> object:
    is_html = hasattr(value, "__html__")
    return clean(value) if isinstance(value, str) and not is_html else value


def template_version(
    document: DocumentKind, code: str, libraries: str, *words: Mapping[str, Any]
) -> str:
    """A digest of everything but the data that determines a document: code, templates, words, fonts, libraries.

    `code` is the folder with the document's own code, `libraries` is `documents.pdf.VERSIONS`, `words` are those that
    the template uses, in the document's language.
    """
    files = [
        *(_ROOT / code).glob("*.py"),
        *(_ROOT / "documents").glob("*.py"),
        *FONTS.glob("*.[tc]*"),
        *(_TEMPLATES / "documents").iterdir(),
        *(_TEMPLATES / document).iterdir(),
    ]
    digest = hashlib.sha256(libraries.encode() + repr(words).encode())
    for path in sorted(files):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return f"{document}-{digest.hexdigest()[:12]}"


def column_widths(account: SettlementAccount, words: Mapping[str, Any]) -> dict[str, float]:
    """The width of each column except the service's, by its longest text, in `ch` (the width of a digit).

    Without them WeasyPrint would lay out each cell of a long table twice. Longer identifiers and places are broken. The
    service's column gets the remaining width.
    """
    lines, all_lines = account.lines, account.all_lines
    label = {name: len(words[name]) for name in ("sales_order", "amount", "vat")}
    # for each column: its texts, the width of its label, and the largest width
    columns: dict[str, tuple[Iterable[str], float, float]] = {
        "sp_id": ((line.sp_id for line in all_lines), 6, 14),
        "sales_order": (
            (line.sales_order_id for line in lines),
            max(8.6, 0.79 * label["sales_order"]),
            14,
        ),
        "executed_on": ((formats.day(line.executed_on) for line in lines), 9.1, 9.1),
        "place": ((line.customer_place for line in lines), 6, 18),
        "amount": (
            (formats.money(amount_of(line)) for line in all_lines),
            0.88 * label["amount"],
            14,
        ),
        "vat": (
            (formats.money(account.vat_on(line)) for line in all_lines)
            if account.rounds_each_line
            else ("88.8 %",),
            0.99 * label["vat"],
            14,
        ),
    }
    return {
        name: _GAP + min(max(least, *map(_digits, texts), 0), most)
        for name, (texts, least, most) in columns.items()
    }


def _digits(text: str) -> float:
    """The approximate width of a text in digits. Punctuation counts as half a digit."""
    return len(text) - 0.5 * sum(text.count(narrow) for narrow in ".,' -")


def month_name(account: SettlementAccount, words: Mapping[str, Any]) -> str:
    """The month for a heading: "Oktober 2026"."""
    name = f"{words['months'][account.month.month - 1]} {account.month.year}"
    return name[0].upper() + name[1:]
