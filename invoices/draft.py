"""Makes a partner's invoice, or its draft, from its settlement, with the payment part of a Swiss QR-bill.

It saves small partners work. `invoice_confined` starts a confined process; `main` runs in it (`documents/confined.py`).
A draft is marked as one, in its text and its metadata, and is not accepted as an invoice (`invoices/drafts.py`).
"""

import hashlib
import io
import re
from decimal import Decimal
from html import escape
from xml.etree import ElementTree

import stdnum.iban

from documents.confined import Limits, run_confined
from domain.iban import in_fours
from domain.settlements.ids import creditor_reference
from invoices.drafts import KEYWORD
from statements.data import Accounting, Document, InvoiceData, Letterhead
from statements.render_process import LIMITS

_MOST_PAYABLE = Decimal("999999999.99")  # SIX, Implementation Guidelines QR-bill
_MOST_OF_A_NAME = 70
_SVG = "{http://www.w3.org/2000/svg}"
_HOUSE = re.compile(r"(\S.*?),?\s+(\d+\s?[A-Za-z]?)", re.ASCII)


async def invoice_confined(data: InvoiceData, limits: Limits = LIMITS) -> Document:
    """Make a settlement's invoice in a confined process; its draft if there is no number.

    Raises `documents.confined.ConfinedError`.
    """
    answer = await run_confined("invoices.draft", data.model_dump_json().encode(), limits)
    return Document.unpacked(answer)


def takes_reference(iban: str | None) -> bool:
    """Whether a payment part with a creditor reference can have this IBAN: Swiss or Liechtenstein, and no QR-IBAN."""
    compact = "".join((iban or "").split()).upper()
    return (
        compact[:2] in ("CH", "LI")
        and bool(stdnum.iban.is_valid(compact))
        and not 30000 <= int(compact[4:9]) <= 31999
    )


LOADS = ("documents.pdf", "documents.templates")


def main(data: bytes) -> bytes:
    """Runs in the confined process. Returns the packed invoice."""
    return make_invoice(InvoiceData.model_validate_json(data)).packed()


def make_invoice(data: InvoiceData) -> Document:
    """Make the invoice, or its draft, in this process, which loads WeasyPrint. The same data always gives the
    same bytes.

    It has a payment part if the partner's IBAN accepts a creditor reference and the total is positive. Raises
    `MemoryError` and the errors of WeasyPrint.
    """
    from documents import pdf, templates

    settlement, number = data.settlement, data.invoice_number
    words = templates.words_of("invoice", data.language)
    statement_words = templates.words_of("statement", data.language)
    html = templates.html_of(
        "invoice/invoice.html",
        data=data,
        words=words,
        statement_words=statement_words,
        language=data.language,
        is_draft=number is None,
        draft_keyword=KEYWORD,
        title=f"{words['title']} {settlement.settlement_id} ({words['footer']})"
        if number is None
        else f"{words['title']} {number} ({settlement.settlement_id})",
        author=data.partner.name,
        subject="",
        created=data.created.isoformat(),
        reference=in_fours(creditor_reference(settlement.settlement_id)),
        iban=in_fours(data.partner.iban or ""),
        bill=_payment_part(data),
        widths=templates.column_widths(settlement, statement_words),
    )
    checksum = data.checksum
    made = pdf.make_pdf(html, identifier=bytes.fromhex(checksum)[:16], created=data.created)
    return Document(
        pdf=made.pdf,
        sha256=hashlib.sha256(made.pdf).hexdigest(),
        template_version=templates.template_version(
            "invoice", "invoices", pdf.VERSIONS, words, statement_words
        ),
        input_checksum=checksum,
        pages=made.pages,
    )


def _payment_part(data: InvoiceData) -> str:
    """Receipt and payment part as SVG, as wide as the paper and 106 mm high; empty if they are not possible.

    The title of the SVG has the texts of the payment part, for screen readers.
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
    except ValueError:  # no IBAN, not a Swiss one, or a QR-IBAN
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
    """A structured address of the QR-bill, within its maximal lengths."""
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
    """The text in the characters of the payment part's font, which lacks two characters of the other font."""
    from documents.text import REPLACEMENT, clean

    return clean(text).replace(REPLACEMENT, "?").replace("\u2011", "-")
