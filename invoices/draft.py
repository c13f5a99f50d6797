"""Makes a draft of a partner's invoice from its settlement, with the payment part of a Swiss QR-bill.

It saves a small partner the writing; the invoice stays the partner's, who checks and sends it. `draft_confined` is the
outside; `main` is what runs inside (`documents/confined.py`).
"""

import hashlib
import io
import re
from decimal import Decimal

from documents import formats
from documents.confined import Limits, run_confined
from domain.settlements.ids import creditor_reference
from statements.data import Accounting, Document, Letterhead, StatementData

LIMITS = Limits(memory=1 << 30, seconds=120)

# Pixels, as the template has them.
_SENDER_ROOM = 320.0
_TOP_OF_SENDER = 42.0
_TOP_OF_RECIPIENT = 112.0
_FACT = 18.0
_TITLE = 48.0
_BILL = 362.0  # what the payment part takes of the page within its margins, the footer above it included
_MOST_PAYABLE = Decimal("999999999.99")  # SIX, Implementation Guidelines QR-bill
_MOST_OF_A_NAME = 70
_HOUSE = re.compile(r"(\S.*?),?\s+(\d+\s?[A-Za-z]?)", re.ASCII)


async def draft_confined(data: StatementData, limits: Limits = LIMITS) -> Document:
    """The draft of the invoice that a settlement asks for. Raises `documents.confined.ConfinedError`."""
    answer = await run_confined("invoices.draft", data.model_dump_json().encode(), limits)
    return Document.unpacked(answer)


def main(data: bytes) -> bytes:
    """Inside: the draft, packed."""
    return draft_invoice(StatementData.model_validate_json(data)).packed()


def draft_invoice(data: StatementData, *, processes: int = 2) -> Document:
    """The draft, in this process, which loads WeasyPrint. The same data, the same bytes.

    The payment part is there if the partner's IBAN can be paid to with a creditor reference, and there is something to
    pay. Raises `MemoryError` and `documents.pdf.Layout`.
    """
    from documents import listing, pdf
    from documents.listing import FOOT, HEAD, HEIGHT, ROOM, SMALL, TOP, Listing
    from documents.pages import LINE, paginate
    from documents.text import clean, wrap

    settlement, partner, accounting = data.settlement, data.partner, data.accounting
    words = listing.words_of("invoice")[data.language]
    statement_words = listing.words_of("statement")[data.language]
    reference = listing.in_fours(creditor_reference(settlement.settlement_id))
    lines = Listing(settlement, statement_words)

    name = wrap(clean(partner.name), _SENDER_ROOM, bold=True)
    contact = (
        partner.street,
        f"{partner.postal_code} {partner.city}",
        partner.phone,
        partner.email,
        f"{statement_words['vat_number']} {partner.vat_number}" if partner.vat_number else "",
        f"IBAN {_spaced(partner.iban)}" if partner.iban else "",
    )
    address = [line for each in contact if each for line in wrap(clean(each), _SENDER_ROOM)]
    recipient = [
        line
        for each in (
            accounting.company,
            accounting.department,
            accounting.street,
            f"{accounting.postal_code} {accounting.city}",
        )
        for line in wrap(clean(each), ROOM - 352)
    ]
    month = settlement.month
    facts = [
        (words["date"], formats.day(data.created)),
        (statement_words["number"], settlement.settlement_id),
        (words["reference"], reference),
        (words["period"], f"{formats.day(month.first_day)} – {formats.day(month.last_day)}"),
    ]
    title = 32 + max(
        _TOP_OF_SENDER + LINE * (len(name) + len(address)),
        _TOP_OF_RECIPIENT + LINE * len(recipient),
    )
    table = title + _TITLE + _FACT * len(facts) + 24
    bill = _payment_part(data)
    remarks = wrap(words["please"].format(reference=reference.replace(" ", "\u00a0")), 300, SMALL)
    if not settlement.liable:
        remarks += wrap(statement_words["no_vat"], 300, SMALL)
    pages = paginate(
        list(lines.rows()),
        first=HEIGHT - table - HEAD - FOOT,
        other=HEIGHT - TOP - HEAD - FOOT,
        tail=14 + max(lines.sums_height, LINE * len(remarks)) + (_BILL if bill else 0),
    )
    running = wrap(f"{words['title']} {settlement.settlement_id} · {name[0]}", ROOM - 120, SMALL)
    parts = listing.parts(
        "invoice/invoice.html",
        pages,
        language=data.language,
        title=f"{words['title']} {settlement.settlement_id} ({words['footer']})",
        author=clean(partner.name),
        created=data.created.isoformat(),
        words=words,
        page_words=statement_words["page"],
        top={"title": title, "facts": title + _TITLE, "table": table},
        name=name,
        address=address,
        recipient=recipient,
        facts=facts,
        head=lines.head,
        running=running[0],
        footer=f"{words['title']} {settlement.settlement_id} · {words['footer']}",
        sums=lines.sums,
        remarks=remarks,
        bill=bill,
    )
    checksum = data.checksum
    made = pdf.make_pdf(
        parts,
        identifier=bytes.fromhex(checksum)[:16],
        created=data.created,
        processes=processes,
    )
    return Document(
        pdf=made,
        sha256=hashlib.sha256(made).hexdigest(),
        template_version=listing.template_version("invoice", "invoices"),
        input_checksum=checksum,
        pages=len(pages),
    )


def _payment_part(data: StatementData) -> str:
    """Receipt and payment part as SVG, the paper's width and 106 mm high; empty if there can be none."""
    from qrbill import QRBill

    from documents.text import clean

    total = data.settlement.total
    if not data.partner.iban or not 0 < total <= _MOST_PAYABLE:
        return ""
    accounting = data.accounting
    try:
        bill = QRBill(
            account=data.partner.iban,
            creditor=_party(clean(data.partner.name), clean(data.partner.street), data.partner),
            debtor=_party(clean(accounting.company), clean(accounting.street), accounting),
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
    return file.getvalue().partition("?>")[2]


def _party(name: str, street: str, place: Letterhead | Accounting) -> dict[str, str]:
    """An address as the QR-bill has it (structured), within its lengths."""
    match = _HOUSE.fullmatch(street)
    return {
        "name": name[:_MOST_OF_A_NAME],
        "street": (match[1] if match else street)[:_MOST_OF_A_NAME],
        "house_num": match[2] if match else "",
        "pcode": place.postal_code[:16],
        "city": place.city[:35],
        "country": "CH",
    }


def _spaced(iban: str) -> str:
    compact = "".join(iban.split())
    return " ".join(compact[first : first + 4] for first in range(0, len(compact), 4))
