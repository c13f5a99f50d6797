"""The account of a QR code is compared on whichever page it stands, within the processor time of a check."""

import io
from collections.abc import Mapping, Sequence

import pytest
import qrcode
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from domain.settlements.invoicing import Verdict
from invoices.check import LIMITS, check_invoice, judge, read
from tests.invoices.papers import invoice
from tests.invoices.test_rounding_and_account import (
    EXPECTED,
    ID,
    OTHER,
    SP_IDS,
    bill,
    problems,
)

TOTAL = "971.82"


def picture(content: str) -> ImageReader:
    """A QR code as a picture."""
    made = qrcode.make(content, box_size=4)
    file = io.BytesIO()
    made.save(file)
    file.seek(0)
    return ImageReader(file)


def pdf(pages: int, codes: Mapping[int, Sequence[str]]) -> bytes:
    """A right invoice of so many pages, with these QR codes on pages counted from 0."""
    lines = [line for line in invoice(ID, SP_IDS, TOTAL) if "IBAN" not in line]
    file = io.BytesIO()
    canvas = Canvas(file, invariant=1)
    drawn = {code: picture(code) for of_page in codes.values() for code in of_page}
    for page in range(pages):
        for number, line in enumerate(lines if page == 0 else ["Arbeiten", f"Seite {page + 1}"]):
            canvas.drawString(50, 800 - number * 12, line)
        for place, code in enumerate(codes.get(page, ())):
            x, y = 50 + place % 3 * 170, 50 + place // 3 * 170
            canvas.drawImage(drawn[code], x, y, 130, 130)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def judged(data: bytes, *, every_page: bool = True) -> Verdict:
    """The verdict, read in this process."""
    return judge(read(data, every_page=every_page), EXPECTED)


@pytest.mark.parametrize("page", range(9))
def test_another_account_is_found_on_each_page(page: int) -> None:
    verdict = judged(pdf(9, {page: [bill(iban=OTHER)]}))
    assert (verdict.accounting_decides, problems(verdict)) == (True, ["other_iban"])
    assert judged(pdf(9, {page: [bill()]})).accepted


def test_another_account_beside_the_right_one() -> None:
    """Also if the right code stands on the usual page, or several times on the same one."""
    for codes in ({8: [bill()], 4: [bill(iban=OTHER)]}, {4: [bill()] * 5 + [bill(iban=OTHER)]}):
        assert problems(judged(pdf(9, codes))) == ["other_iban"]


def test_an_amount_in_the_middle_counts_as_well() -> None:
    assert problems(judged(pdf(9, {4: [bill("999.00")]}))) == ["qr_amount"]


def test_under_the_first_rules_only_the_first_and_last_pages_are_searched() -> None:
    data = pdf(9, {4: [bill("999.00")]})
    assert read(data, every_page=False).codes == ()
    assert read(data, every_page=True).codes != ()


def test_pages_that_could_not_be_searched_are_no_reason_to_accept() -> None:
    data = pdf(9, {4: [bill()]})
    found = read(data, seconds=0)
    assert found.searched == 6
    verdict = judge(found, EXPECTED)
    assert not verdict.accepted
    assert not verdict.accounting_decides
    assert problems(verdict) == ["qr_pages"]
    assert judge(read(pdf(6, {2: [bill()]}), seconds=0), EXPECTED).accepted, "all are likely ones"


async def test_the_largest_invoice_is_searched_within_the_time_of_a_check() -> None:
    """300 pages, in the confined process with its ten seconds of processor time."""
    verdict = await check_invoice(pdf(300, {151: [bill(iban=OTHER)]}), EXPECTED)
    assert problems(verdict) == ["other_iban"], "and not qr_pages: all were searched"
    assert verdict.accounting_decides


async def test_many_large_pictures_end_with_a_sentence_and_not_with_the_process() -> None:
    limits = LIMITS._replace(processor=3)
    verdict = await check_invoice(pictures(100), EXPECTED, limits)
    assert problems(verdict) == ["qr_pages"]


def pictures(pages: int) -> bytes:
    """A right invoice with a picture of noise over each page, which takes long to search."""
    import random

    noise = random.Random(1).randbytes(1200 * 1600)
    from PIL import Image

    image = ImageReader(Image.frombytes("L", (1200, 1600), noise))
    lines = [line for line in invoice(ID, SP_IDS, TOTAL) if "IBAN" not in line]
    file = io.BytesIO()
    canvas = Canvas(file, invariant=1)
    for _ in range(pages):
        canvas.drawImage(image, 0, 0, 595, 842)
        for number, line in enumerate(lines):
            canvas.drawString(50, 800 - number * 12, line)
        canvas.showPage()
    canvas.save()
    return file.getvalue()
