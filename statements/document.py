"""Lays a statement out and makes it a PDF. To be called in a process of its own: `statements/render_process.py`."""

import hashlib
from typing import Any

from documents import formats, listing, pdf
from documents.listing import FOOT, HEAD, HEIGHT, ROOM, SMALL, TOP, Listing
from documents.pages import LINE, paginate
from documents.text import clean, wrap
from domain.settlements.ids import creditor_reference
from statements.attachments import statement_csv, statement_json
from statements.data import Document, StatementData

# Pixels, as the template has them.
_TOP_OF_ADDRESS = 112.0
_FACT = 18.0
_BEFORE_NOTICE = 26.0
_BEFORE_TABLE = 24.0
_BEFORE_SUMS = 14.0
_NOTHING = 28.0
_ADDRESS_ROOM = 320.0
_NOTICE_ROOM = ROOM - 40
_REMARKS_ROOM = 300.0


def render(data: StatementData, *, processes: int = 2) -> Document:
    """The statement as PDF/A-3b, its lines attached as CSV and JSON. The same data, the same bytes.

    `processes`: how many of them render parts of a long document at a time. Raises `MemoryError` and
    `documents.pdf.Layout`.
    """
    checksum = data.checksum
    words = listing.words_of("statement")[data.language]
    settlement = data.settlement
    number, partner = settlement.settlement_id, clean(data.partner.name)
    lines = Listing(settlement, words)
    first_page = _first_page(data, words)
    remarks = [] if settlement.liable else wrap(words["no_vat"], _REMARKS_ROOM, SMALL)
    remarks += wrap(words["attached"], _REMARKS_ROOM, SMALL)
    pages = paginate(
        list(lines.rows()),
        first=HEIGHT - first_page["top"]["table"] - HEAD - FOOT,
        other=HEIGHT - TOP - HEAD - FOOT,
        tail=_BEFORE_SUMS + max(lines.sums_height, LINE * len(remarks) + _NOTHING),
    )
    running = wrap(f"{number} · {partner}", ROOM - 180, SMALL)
    month = listing.month_name(settlement, words)
    title = f"{words['title']} {number}"
    parts = listing.parts(
        "statement/statement.html",
        pages,
        **first_page,
        language=data.language,
        title=title,
        author=clean(data.accounting.company),
        subject=f"{partner}, {month}",
        created=data.created.isoformat(),
        words=words,
        month=month,
        head=lines.head,
        running=running[0] + ("…" if len(running) > 1 else ""),
        footer=f"{title} · {words['footer']}",
        nothing=not settlement.all_lines,
        sums=lines.sums,
        remarks=remarks,
    )
    made = pdf.make_pdf(
        parts,
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
        template_version=listing.template_version("statement", "statements"),
        input_checksum=checksum,
        pages=len(pages),
    )


def _first_page(data: StatementData, words: Any) -> dict[str, Any]:
    """What stands above the table on the first page, and where."""
    settlement, partner, accounting = data.settlement, data.partner, data.accounting
    name = wrap(clean(partner.name), _ADDRESS_ROOM, bold=True)
    address = wrap(clean(partner.street), _ADDRESS_ROOM)
    address += wrap(clean(f"{partner.postal_code} {partner.city}"), _ADDRESS_ROOM)
    if partner.vat_number:
        vat_number = f"{words['vat_number']} {partner.vat_number}"
        address += wrap(clean(vat_number), _ADDRESS_ROOM)
    month = settlement.month
    facts = [
        (words["number"], settlement.settlement_id),
        (words["period"], f"{formats.day(month.first_day)} – {formats.day(month.last_day)}"),
        (words["orders"], f"{len(settlement.lines):,}".replace(",", formats.SEPARATOR)),
        (words["created"], formats.day(data.created)),
        (words["reference"], listing.in_fours(creditor_reference(settlement.settlement_id))),
    ]
    where = (
        clean(accounting.company),
        clean(accounting.department),
        clean(accounting.street).replace(" ", "\u00a0"),
        clean(f"{accounting.postal_code} {accounting.city}").replace(" ", "\u00a0"),
        clean(accounting.email),
    )
    invoice_to = words["invoice_to"].format(address=", ".join(where))
    notice = [words["not_an_invoice"], *wrap(invoice_to, _NOTICE_ROOM, bold=True)]
    total = f"CHF\u00a0{formats.money(settlement.total)}"
    how = words["text" if settlement.total > 0 else "nothing_due"].format(
        number=settlement.settlement_id, total=total
    )
    text = wrap(how, _NOTICE_ROOM)
    address_height = max(LINE * (1 + len(name) + len(address)), _FACT * len(facts))
    top_of_notice = _TOP_OF_ADDRESS + address_height + _BEFORE_NOTICE
    top_of_table = top_of_notice + LINE * (len(notice) + len(text)) + 2 + _BEFORE_TABLE
    return {
        "name": name,
        "address": address,
        "facts": facts,
        "notice": notice,
        "text": text,
        "issuer": wrap(clean(accounting.company), ROOM, SMALL)[0],
        "top": {"address": _TOP_OF_ADDRESS, "notice": top_of_notice, "table": top_of_table},
    }
