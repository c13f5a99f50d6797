"""Makes the PDF of an execution protocol, for the customer and the order, in a confined process.

`protocol_confined` starts the process; `main` runs in it (`documents/confined.py`).
"""

import base64
import hashlib
from datetime import date

from documents.confined import Limits, run_confined
from domain.iban import in_fours
from domain.orders.protocol import HEIGHT, WIDTH, ProtocolVersion, svg_path
from domain.values import Language, Value
from words import protocol as labels

LOADS = ("documents.pdf", "documents.templates")
LIMITS = Limits(memory=2 << 30, seconds=60)


class ProtocolData(Value):
    """All data of a protocol's PDF. The same data always give the same bytes.

    Attributes:
        retailer: the firm that sold the service.
        worked, written: when the partner was there, and when the protocol was written, in local time and words.
        pictures: the small JPEG of each picture that the protocol names, by its id, in base64.
    """

    version: ProtocolVersion
    retailer: str
    sales_order_id: str
    customer_name: str
    street: str
    place: str
    service: str
    product: str
    worked: str
    written: str
    created: date
    language: Language
    pictures: dict[str, str]


async def protocol_confined(data: ProtocolData, limits: Limits = LIMITS) -> bytes:
    """The PDF of a protocol. Raises `documents.confined.ConfinedError`."""
    return await run_confined("documents.protocol", data.model_dump_json().encode(), limits)


def main(data: bytes) -> bytes:
    """Runs in the confined process. Returns the PDF."""
    return make_protocol(ProtocolData.model_validate_json(data))


def make_protocol(data: ProtocolData) -> bytes:
    """The protocol as PDF/A-3a and PDF/UA-1. Raises `MemoryError` and the errors of WeasyPrint."""
    from documents import pdf, templates

    words = templates.words_of("protocol", data.language)
    version, language = data.version, data.language
    protocol, checksum = version.protocol, version.sha256
    html = templates.html_of(
        "protocol/protocol.html",
        data=data,
        version=version,
        protocol=protocol,
        words=words,
        language=language,
        title=f"{words['title']} {version.sp_id}",
        author=version.partner_name,
        subject="",
        created=data.created.isoformat(),
        checklist=[
            (labels.item_label(each.item, language), labels.result_label(each.result, language))
            for each in protocol.checklist
        ],
        ending=labels.ending_label(protocol.ending, language),
        signature=svg_path(protocol.strokes),
        signature_box=f"0 0 {WIDTH} {HEIGHT}",
        photos=[each for each in protocol.photos if each.photo_id in data.pictures],
        checksum=in_fours(checksum),
        address_of=lambda named: f"{pdf.PICTURES}{named.photo_id}",
    )
    pictures = {name: base64.b64decode(jpeg) for name, jpeg in data.pictures.items()}
    identifier = hashlib.sha256(data.model_dump_json().encode()).digest()[:16]
    made = pdf.make_pdf(html, identifier=identifier, created=data.created, pictures=pictures)
    return made.pdf
