"""The PDF of an execution protocol: the same bytes each time, described pictures, signs that its fonts lack."""

import base64
import io
import math
from datetime import date, timedelta

import pytest
from pypdf import PdfReader

from documents.protocol import ProtocolData, protocol_confined
from domain.orders.protocol import Checked, NamedPhoto, Protocol, ProtocolVersion
from tests.statements import test_tags as tags
from tests.support.builders import MONDAY
from tests.support.pictures import photo
from tests.support.rendering import one_process_for_documents

STROKES = (tuple((100 + 8 * n, int(200 + 90 * math.sin(n / 5))) for n in range(90)),)


def data(**changes: object) -> ProtocolData:
    """A protocol with five photos, and a signature on the screen."""
    photos = tuple(NamedPhoto(photo_id=f"photo_{n}", sha256=f"{n}" * 64) for n in range(5))
    protocol = Protocol(
        checklist=(Checked(item="tested", result="done"), Checked(item="Gas 日本", result="later")),
        begun=MONDAY,
        ended=MONDAY + timedelta(hours=1),
        remarks="Alles gut\n<b>fett</b>",
        ending="signed",
        signer="Žofia Ħåuser",
        strokes=STROKES,
        photos=photos,
    ).model_copy(update=changes)
    return ProtocolData(
        version=ProtocolVersion(
            sp_id="SP-1",
            version=2,
            partner_id="elektro-huber",
            partner_name="Elektro Huber AG",
            at=MONDAY,
            side="partner",
            login_id="usr_1",
            author="Petra Huber",
            protocol=protocol,
        ),
        retailer="Muster Handel AG",
        sales_order_id="48392011",
        customer_name="Žofia Ħåuser",
        street="Langstrasse 12",
        place="8004 Zürich",
        service="Waschmaschine anschliessen",
        product="1 × Adora",
        worked="Mo 5. Okt. 2026 09:00–10:00",
        written="Mo 5. Okt. 2026 10:01",
        created=date(2026, 10, 5),
        language="it",
        pictures={
            each.photo_id: base64.b64encode(photo(n)).decode() for n, each in enumerate(photos)
        },
    )


async def test_it_is_tagged_and_its_pictures_are_described() -> None:
    made = await protocol_confined(data())
    with one_process_for_documents():
        assert made == await protocol_confined(data()), "the same data give the same bytes"
    reader = PdfReader(io.BytesIO(made), strict=True)
    alts = [each["/Alt"] for each in tags.elements(reader) if each["/S"] == "/Figure"]
    assert alts == ["Firma di Žofia Ħåuser", *(f"Foto {n}" for n in range(1, 6))]
    tags.test_declares_both_standards_in_one_description(reader)
    tags.test_each_header_says_whether_it_is_a_column_s_or_a_row_s(reader)
    tags.test_each_element_knows_its_parent_and_each_page_its_elements(reader)
    text = "\n".join(page.extract_text() for page in reader.pages)
    for expected in ("Rapporto d’intervento", "Gas ��", "later", "<b>fett</b>", "Versione 2"):
        assert expected in text


@pytest.mark.parametrize("ending", ["refused", "absent", "of a newer release"])
async def test_without_a_signature_it_says_why(ending: str) -> None:
    changes = {"ending": ending, "strokes": (), "signer": "", "reason": "Nessuno in casa"}
    with one_process_for_documents():
        made = await protocol_confined(data(photos=(), **changes))
    text = PdfReader(io.BytesIO(made)).pages[0].extract_text()
    assert "Senza firma" in text
    assert "Nessuno in casa" in text
