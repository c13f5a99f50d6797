"""The table of a settlement's lines, and its sums: the same on the statement and on a draft invoice."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from documents import formats, pdf, table
from documents.pages import Page, Row, split
from documents.table import Column, Wanted, columns, row
from documents.text import FONTS, clean, width
from domain.settlements.account import SettlementAccount
from domain.settlements.lines import CorrectionLine, Line, amount_of
from domain.values import LANGUAGES
from words.documents import document_words

# Pixels, as templates/documents/document.css has them.
ROOM = 664.0
"""The width of a page within its margins."""
HEIGHT = 994.0
"""Its height."""
TOP = 32.0
"""The running head of each page but the first."""
HEAD = 24.0
"""The head of the table."""
FOOT = 30.0
"""The footer and what is free above it."""
SMALL = 10.6
"""The size of labels, heads and feet."""
PAGES_IN_A_PART = 8

_SUM = 20.0
_TOTAL = 32.0
_WIDEST_ID = 144.0
_TEMPLATES = Path(__file__).resolve().parent.parent / "templates"


@cache
def words_of(document: Literal["statement", "invoice"]) -> Mapping[str, Mapping[str, Any]]:
    """The words of a document by language (words/documents.py)."""
    return {language: document_words(document, language) for language in LANGUAGES}


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def template_version(document: Literal["statement", "invoice"], code: str) -> str:
    """What a document's look depends on besides its data: a digest of code, words, templates, fonts and
    libraries.

    `code` is the folder with the document's own code.
    """
    root = Path(__file__).resolve().parent.parent
    files = [
        *(root / code).glob("*.py"),
        *(root / "documents").glob("*.py"),
        *FONTS.glob("*.[tc]*"),
        *(_TEMPLATES / "documents").iterdir(),
        *(_TEMPLATES / document).iterdir(),
    ]
    digest = hashlib.sha256(pdf.VERSIONS.encode())
    digest.update(repr(words_of(document)).encode())
    for path in sorted(files):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return f"{document}-{digest.hexdigest()[:12]}"


class _Columns(NamedTuple):
    sp_id: Column
    sales_order: Column
    executed_on: Column
    service: Column
    place: Column
    amount: Column
    vat: Column | None = None

    @property
    def reason(self) -> Column:
        """Of a correction: it takes the place of all that is said of an order."""
        return Column(self.sales_order.left, self.place.right)


def _columns(settlement: SettlementAccount, words: Mapping[str, Any]) -> _Columns:
    """Columns as wide as their contents want, as far as there is room; the service and the place share the rest."""

    def wanted(label: str, texts: Iterable[str], **how: Any) -> Wanted:
        widest = max((width(clean(text)) for text in texts), default=0.0)
        return Wanted(max(widest, width(words[label], SMALL)), **how)

    lines, all_lines = settlement.lines, settlement.all_lines
    wishes = [
        wanted("sp_id", (each.sp_id for each in all_lines), limit=_WIDEST_ID),
        wanted("sales_order", (each.sales_order_id for each in lines), limit=_WIDEST_ID),
        wanted("executed_on", (formats.day(each.executed_on) for each in lines)),
        wanted("service", ()),
        wanted("place", {each.customer_place for each in lines}),
        wanted("amount", {formats.money(amount_of(each)) for each in all_lines}, align="right"),
    ]
    if settlement.liable:
        vat = {formats.money(settlement.vat_on(each)) for each in all_lines}
        wishes.append(wanted("vat", vat, align="right"))
    return _Columns(*columns(wishes, ROOM, shared=(3, 4)))


class Listing:
    """The table of one settlement in the words of a language (those of the statement)."""

    def __init__(self, settlement: SettlementAccount, words: Mapping[str, Any]) -> None:
        self._settlement = settlement
        self._words = words
        self._columns = _columns(settlement, words)

    @property
    def head(self) -> str:
        """The head of the table, in the size `SMALL`."""
        named = self._columns._asdict().items()
        return table.line(((each, self._words[name]) for name, each in named if each), SMALL)

    def rows(self) -> Iterator[Row]:
        """A row for each line, then the corrections."""
        columns = self._columns
        for line in self._settlement.lines:
            lines = row(
                [
                    (columns.sp_id, columns.sp_id.wrap(line.sp_id)),
                    (columns.sales_order, columns.sales_order.wrap(clean(line.sales_order_id))),
                    (columns.executed_on, [formats.day(line.executed_on)]),
                    (columns.service, columns.service.wrap(clean(line.service))),
                    (columns.place, columns.place.wrap(clean(line.customer_place))),
                    *self._amounts(line),
                ]
            )
            yield from split(Row(lines))
        if self._settlement.corrections:
            yield Row([self._words["corrections"]], "heading")
        for correction in self._settlement.corrections:
            lines = row(
                [
                    (columns.sp_id, columns.sp_id.wrap(correction.sp_id)),
                    (columns.reason, columns.reason.wrap(clean(correction.reason))),
                    *self._amounts(correction),
                ]
            )
            yield from split(Row(lines))

    def _amounts(self, line: Line | CorrectionLine) -> Iterator[tuple[Column, list[str]]]:
        yield self._columns.amount, [formats.money(amount_of(line))]
        if self._columns.vat is not None:
            yield self._columns.vat, [formats.money(self._settlement.vat_on(line))]

    @property
    def sums(self) -> list[tuple[str, str]]:
        """Net, VAT by rate, total: label and amount."""
        settlement, words = self._settlement, self._words
        sums = [(words["net"], formats.money(settlement.net))]
        for part in settlement.vat_sums:
            rate, net = formats.percent(part.percent), formats.money(part.net)
            sums.append((words["vat_of"].format(percent=rate, net=net), formats.money(part.vat)))
        return [*sums, (words["total"], formats.money(settlement.total))]

    @property
    def sums_height(self) -> float:
        """Pixels that they take."""
        return _SUM * (len(self.sums) - 1) + _TOTAL


def parts(template: str, pages: list[Page], **values: Any) -> list[pdf.Part]:
    """The pages as HTML, some of them at a time; `values` are for the template."""
    made = []
    css = (_TEMPLATES / "documents" / "document.css").read_text(encoding="utf-8")
    for first in range(0, len(pages), PAGES_IN_A_PART):
        some = pages[first : first + PAGES_IN_A_PART]
        html = _environment().get_template(template)
        text = html.render(values, css=css, pages=some, page_count=len(pages))
        made.append(pdf.Part(text, len(some)))
    return made


def in_fours(text: str) -> str:
    """As references are printed: blanks after each four characters."""
    return " ".join(text[first : first + 4] for first in range(0, len(text), 4))


def month_name(settlement: SettlementAccount, words: Mapping[str, Any]) -> str:
    """The month as a heading has it: "Oktober 2026"."""
    name = f"{words['months'][settlement.month.month - 1]} {settlement.month.year}"
    return name[0].upper() + name[1:]
