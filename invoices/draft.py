"""Makes a draft of a partner's invoice from its settlement, with the payment part of a Swiss QR-bill.

It saves a small partner the writing; the invoice stays the partner's, who checks and sends it. `draft_confined` is the
outside; `main` is what runs inside (`documents/confined.py`).
"""

import hashlib
import io
import re
from decimal import Decimal
from html import escape
from xml.etree import ElementTree

from documents.confined import Limits, run_confined
from domain.settlements.ids import creditor_reference
from statements.data import Accounting, Document, Letterhead, StatementData
from statements.render_process import LIMITS

_MOST_PAYABLE = Decimal("999999999.99")  # SIX, Implementation Guidelines QR-bill
_MOST_OF_A_NAME = 70
_SVG = "{http://www.w3.org/2000/svg}"
_HOUSE = re.compile(r"(\S.*?),?\s+(\d+\s?[A-Za-z]?)", re.ASCII)


async def draft_confined(data: StatementData, limits: Limits = LIMITS) -> Document:
    """The draft of the invoice that a settlement asks for. Raises `documents.confined.ConfinedError`."""
    answer = await run_confined("invoices.draft", data.model_dump_json().encode(), limits)
    return Document.unpacked(answer)


def main(data: bytes) -> bytes:
    """Inside: the draft, packed."""
    return draft_invoice(StatementData.model_validate_json(data)).packed()


def draft_invoice(data: StatementData) -> Document:
    """The draft, in this process, which loads WeasyPrint. The same data, the same bytes.

    The payment part is there if the partner's IBAN can be paid to with a creditor reference, and there is something to
    pay. Raises `MemoryError` and whatever WeasyPrint raises.
    """
    from documents import pdf, templates

    settlement = data.settlement
    words = templates.words_of("invoice")[data.language]
    statement_words = templates.words_of("statement")[data.language]
    html = templates.html_of(
        "invoice/invoice.html",
        data=data,
        words=words,
        statement_words=statement_words,
        language=data.language,
        title=f"{words['title']} {settlement.settlement_id} ({words['footer']})",
        author=data.partner.name,
        subject="",
        created=data.created.isoformat(),
        reference=templates.in_fours(creditor_reference(settlement.settlement_id)),
        iban=templates.in_fours("".join((data.partner.iban or "").split())),
        bill=_payment_part(data),
        widths=templates.column_widths(settlement, statement_words),
    )
    checksum = data.checksum
    made = pdf.make_pdf(html, identifier=bytes.fromhex(checksum)[:16], created=data.created)
    return Document(
        pdf=made.pdf,
        sha256=hashlib.sha256(made.pdf).hexdigest(),
        template_version=templates.template_version("invoice", "invoices", pdf.VERSIONS),
        input_checksum=checksum,
        pages=made.pages,
    )


def _payment_part(data: StatementData) -> str:
    """Receipt and payment part as SVG, the paper's width and 106 mm high; empty if there can be none.

    Its title is what a screen reader reads instead of the picture: the texts of the payment part.
    """
    from qrbill import QRBill

    total = data.settlement.total
    if not data.partner.iban or not 0 < total <= _MOST_PAYABLE:
        return ""
    accounting = data.accounting
    try:
        bill = QRBill(
            account=data.partner.iban,
            creditor=_party(data.partner.name, data.partner),
            debtor=_party(accounting.company, accounting),
            amount=str(total),
            currency="CHF",
            reference_number=creditor_reference(data.settlement.settlement_id),
            additional_information=data.settlement.settlement_id,
            language=data.language,
        )
    except ValueError:  # no IBAN, not Swiss, or one for QR references only
        return ""
    bill.font_family = "CMI Bill"
    file = io.StringIO()
    bill.as_svg(file)
    _, svg, rest = file.getvalue().partition("<svg ")
    attributes, end, content = rest.partition(">")
    texts = [text.text or "" for text in ElementTree.fromstring(svg + rest).iter(f"{_SVG}text")]
    read_out = texts[
        texts.index(bill.label("Payment part")) :
    ]  # before it is the receipt, with the same texts
    return f"{svg}{attributes}{end}<title>{escape(', '.join(read_out))}</title>{content}"


def _party(name: str, place: Letterhead | Accounting) -> dict[str, str]:
    """An address as the QR-bill has it (structured), within its lengths."""
    street = _printable(place.street)
    match = _HOUSE.fullmatch(street)
    return {
        "name": _printable(name)[:_MOST_OF_A_NAME],
        "street": (match[1] if match else street)[:_MOST_OF_A_NAME],
        "house_num": match[2] if match else "",
        "pcode": place.postal_code[:16],
        "city": _printable(place.city)[:35],
        "country": "CH",
    }


def _printable(text: str) -> str:
    """The text as the font of the payment part has it, which lacks two characters of the other font."""
    from documents.text import REPLACEMENT, clean

    return clean(text).replace(REPLACEMENT, "?").replace("\u2011", "-")
