"""Lays a statement out and makes it a PDF. To be called in a process of its own: `statements/render.py`."""

import hashlib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from documents import formats, pdf, table
from documents.pages import LINE, Page, Row, paginate, split
from documents.table import Column, Wanted, columns, row
from documents.text import FONTS, clean, width, wrap
from domain.settlement import CorrectionLine, Line, Settlement, amount_of, creditor_reference
from statements.attachments import statement_csv, statement_json
from statements.data import Document, StatementData

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"
PAGES_IN_A_PART = 8

# Pixels, as templates/documents/document.css has them.
_ROOM = 664.0
_HEIGHT = 994.0
_TOP = 32.0  # of each page but the first
_HEAD = 24.0
_FOOT = 30.0
_LABEL_SIZE = 10.6
_TOP_OF_ADDRESS = 112.0
_FACT = 18.0
_SUM = 20.0
_WIDEST_ID = 144.0
_NOTICE_ROOM = _ROOM - 40


@cache
def _words() -> Mapping[str, Mapping[str, Any]]:
    return tomllib.loads((TEMPLATES / "statement" / "words.toml").read_text(encoding="utf-8"))


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def template_version() -> str:
    """What a statement's look depends on besides its data: a digest of our code, templates, fonts and libraries."""
    here = Path(__file__).resolve().parent
    files = [
        *here.glob("*.py"),
        *here.parent.glob("documents/*.py"),
        *FONTS.glob("*.[tc]*"),
        *(TEMPLATES / "documents").iterdir(),
        *(TEMPLATES / "statement").iterdir(),
    ]
    digest = hashlib.sha256(pdf.VERSIONS.encode())
    for path in sorted(files):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return f"statement-{digest.hexdigest()[:12]}"


def render(data: StatementData, *, processes: int = 2) -> Document:
    """The statement as PDF/A-3b, its lines attached as CSV and JSON. The same data, the same bytes.

    `processes`: how many of them render parts of a long document at a time. Raises `MemoryError` and
    `documents.pdf.Layout`.
    """
    checksum = data.checksum
    layout = _Layout(data)
    pages = layout.pages()
    words = layout.words
    number = data.settlement.settlement_id
    made = pdf.make_pdf(
        [
            pdf.Part(layout.html(pages[first : first + PAGES_IN_A_PART], len(pages)), count)
            for first in range(0, len(pages), PAGES_IN_A_PART)
            if (count := len(pages[first : first + PAGES_IN_A_PART]))
        ],
        identifier=bytes.fromhex(checksum)[:16],
        created=data.created,
        attached=[
            pdf.Attached(f"{number}.csv", statement_csv(data), words["csv"]),
            pdf.Attached(f"{number}.json", statement_json(data), words["json"]),
        ],
        processes=processes,
    )
    return Document(
        pdf=made,
        sha256=hashlib.sha256(made).hexdigest(),
        template_version=template_version(),
        input_checksum=checksum,
        pages=len(pages),
    )


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


def _columns(settlement: Settlement, words: Mapping[str, Any]) -> _Columns:
    """Columns as wide as their contents want, as far as there is room; the service and the place share the rest."""

    def wanted(label: str, texts: Iterable[str], **how: Any) -> Wanted:
        widest = max((width(clean(text)) for text in texts), default=0.0)
        return Wanted(max(widest, width(words[label], _LABEL_SIZE)), **how)

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
    return _Columns(*columns(wishes, _ROOM, shared=(3, 4)))


class _Layout:
    """One statement on its way to HTML."""

    def __init__(self, data: StatementData) -> None:
        self.words = _words()[data.language]
        self._data = data
        self._columns = _columns(data.settlement, self.words)
        self._head = self._first_page()

    def _first_page(self) -> dict[str, Any]:
        """What stands above the table on the first page, and where."""
        data, words, settlement = self._data, self.words, self._data.settlement
        partner, accounting = data.partner, data.accounting
        name = wrap(clean(partner.name), 320, bold=True)
        address = [
            line
            for text in (
                partner.street,
                f"{partner.postal_code} {partner.city}",
                f"{words['vat_number']} {partner.vat_number}" if partner.vat_number else "",
            )
            if text
            for line in wrap(clean(text), 320)
        ]
        first, last = settlement.month.first_day, settlement.month.last_day
        facts = [
            (words["number"], settlement.settlement_id),
            (words["period"], f"{formats.day(first)} – {formats.day(last)}"),
            (words["orders"], f"{len(settlement.lines):,}".replace(",", "'")),
            (words["created"], formats.day(data.created)),
            (words["reference"], _in_fours(creditor_reference(settlement.settlement_id))),
        ]
        invoice_to = ", ".join(
            (
                accounting.company,
                accounting.department,
                accounting.street.replace(" ", "\u00a0"),
                f"{accounting.postal_code} {accounting.city}".replace(" ", "\u00a0"),
                accounting.email,
            )
        )
        total = f"CHF\u00a0{formats.money(settlement.total)}"
        to = words["invoice_to"].format(address=clean(invoice_to))
        notice = [words["not_an_invoice"], *wrap(to, _NOTICE_ROOM, bold=True)]
        how = words["text"].format(number=settlement.settlement_id, total=total)
        text = wrap(how, _NOTICE_ROOM)
        address_height = max(LINE * (1 + len(name) + len(address)), _FACT * len(facts))
        top_of_notice = _TOP_OF_ADDRESS + address_height + 26
        top_of_table = top_of_notice + LINE * (len(notice) + len(text)) + 2 + 24
        return {
            "name": name,
            "address": address,
            "facts": facts,
            "notice": notice,
            "text": text,
            "issuer": wrap(clean(accounting.company), _ROOM, _LABEL_SIZE)[0],
            "top": {
                "address": _TOP_OF_ADDRESS,
                "notice": top_of_notice,
                "table": top_of_table,
            },
        }

    def pages(self) -> list[Page]:
        """The rows on their pages."""
        sums = _SUM * (len(self._sums()) - 1) + 32 + 14
        tail = max(sums, LINE * len(self._remarks()) + 14 + 28)
        return paginate(
            list(self._rows()),
            first=_HEIGHT - self._head["top"]["table"] - _HEAD - _FOOT,
            other=_HEIGHT - _TOP - _HEAD - _FOOT,
            tail=tail,
        )

    def _rows(self) -> Iterator[Row]:
        settlement, columns = self._data.settlement, self._columns
        for line in settlement.lines:
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
        if settlement.corrections:
            yield Row([self.words["corrections"]], "heading")
        for correction in settlement.corrections:
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
            yield self._columns.vat, [formats.money(self._data.settlement.vat_on(line))]

    def _sums(self) -> list[tuple[str, str]]:
        settlement, words = self._data.settlement, self.words
        sums = [(words["net"], formats.money(settlement.net))]
        sums += [
            (
                words["vat_of"].format(
                    percent=formats.percent(part.percent), net=formats.money(part.net)
                ),
                formats.money(part.vat),
            )
            for part in settlement.vat_sums
        ]
        return [*sums, (words["total"], formats.money(settlement.total))]

    def _remarks(self) -> list[str]:
        remarks = (
            [] if self._data.settlement.liable else wrap(self.words["no_vat"], 300, _LABEL_SIZE)
        )
        return remarks + wrap(self.words["attached"], 300, _LABEL_SIZE)

    def html(self, pages: list[Page], page_count: int) -> str:
        """Some of the pages."""
        data, words, columns, settlement = (
            self._data,
            self.words,
            self._columns,
            self._data.settlement,
        )
        title = f"{words['title']} {settlement.settlement_id}"
        month = f"{words['months'][settlement.month.month - 1]} {settlement.month.year}"
        month = month[0].upper() + month[1:]
        head = table.line(
            (
                (column, words[name])
                for name, column in columns._asdict().items()
                if column is not None
            ),
            _LABEL_SIZE,
        )
        partner = wrap(f"{settlement.settlement_id} · {clean(data.partner.name)}", 480, _LABEL_SIZE)
        return (
            _environment()
            .get_template("statement/statement.html")
            .render(
                self._head,
                css=(TEMPLATES / "documents" / "document.css").read_text(encoding="utf-8"),
                language=data.language,
                title=title,
                author=clean(data.accounting.company),
                subject=f"{clean(data.partner.name)}, {month}",
                created=data.created.isoformat(),
                words=words,
                month=month,
                head=head,
                pages=pages,
                page_count=page_count,
                running=partner[0] + ("…" if len(partner) > 1 else ""),
                footer=f"{title} · {words['footer']}",
                nothing=int(not settlement.all_lines),
                sums=self._sums(),
                sums_width=288,
                remarks=self._remarks(),
            )
        )


def _in_fours(text: str) -> str:
    """As references are printed: blanks after each four characters."""
    return " ".join(text[first : first + 4] for first in range(0, len(text), 4))
