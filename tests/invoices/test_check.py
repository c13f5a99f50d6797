"""Invoices: right, incomplete, foreign, hostile."""

import io
import random
import sys
import zlib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from pypdf import PdfReader, PdfWriter

from documents.confined import ConfinedError, Limits
from domain.settlements.ids import creditor_reference
from domain.settlements.invoicing import Problem, ProblemCode
from domain.values import LANGUAGES
from invoices.check import (
    LARGEST,
    MOST_PAGES,
    Expected,
    Read,
    check_invoice,
    expected_of,
    judge,
    read,
)
from invoices.draft import invoice_confined
from invoices.problems import problem_text
from statements.data import InvoiceData
from tests.invoices.papers import invoice, paper
from tests.statements.samples import CORRECTION, lines, statement
from tests.support.needs import needs
from tests.support.rendering import draft_invoice, one_process_for_documents, render

ID = "V202610-Q93Q3BS6"
REFERENCE = "RF70 V202 610Q 93Q3 BS6"
SP_IDS = ("SP-1048213", "SP-1048214", "SP-1048215")
EXPECTED = Expected(settlement_id=ID, sp_ids=SP_IDS, total=Decimal("1234.50"))


def said(text: str, expected: Expected = EXPECTED, *codes: str) -> tuple[object, ...]:
    """Missing, foreign, and the codes of the problems, of an invoice with this text."""
    verdict = judge(Read(text=text, codes=codes), expected)
    found = tuple(problem.code for problem in verdict.problems)
    assert verdict.accepted == (not (verdict.missing or verdict.foreign or found))
    return verdict.missing, verdict.foreign, found


def text(
    settlement_id: str = ID, sp_ids: tuple[str, ...] = SP_IDS, total: str = "CHF 1'234.50"
) -> str:
    return "\n".join(invoice(settlement_id, sp_ids, total))


ALL_RIGHT = ((), (), ())


class TestWhatIsRight:
    @pytest.mark.parametrize(
        "settlement_id",
        [ID, ID.lower(), "V202610Q93Q3BS6", "V202610 - Q93Q3BS6", REFERENCE, "V202610-\nQ93Q3BS6"],
    )
    def test_the_number_in_all_its_forms(self, settlement_id: str) -> None:
        assert said(text(settlement_id)) == ALL_RIGHT

    @pytest.mark.parametrize(
        "sp_id",
        [
            "SP-1048214",
            "sp-1048214",
            "SP–1048214",
            "SP 1048214",
            "SP1048214",
            "SP-\n1048214",
            "SP-1048\n214",
            "SP-1048-\n214",
            "SP-1048\x02\n214",
            "SP-\u00ad1048214",
            "(SP-1048214)",
            "SP-ID:SP-1048214,",
            "SP - 1048214",
        ],
    )
    def test_an_sp_id_in_all_its_forms(self, sp_id: str) -> None:
        assert said(text(sp_ids=("SP-1048213", sp_id, "SP-1048215"))) == ALL_RIGHT

    def test_an_sp_id_before_another_number(self) -> None:
        assert said(text().replace("  Montage", "\n48392011 2 Stk.")) == ALL_RIGHT

    def test_sp_ids_of_any_form(self) -> None:
        expected = EXPECTED.model_copy(update={"sp_ids": ("1048213", "a.b_c-9", "X")})
        assert said(text(sp_ids=("1048213", "a.b_c-9", "X")), expected) == ALL_RIGHT

    def test_a_correction_may_be_named_and_need_not(self) -> None:
        expected = EXPECTED.model_copy(update={"may_name": ("SP-1040007",)})
        assert said(text(), expected) == ALL_RIGHT
        assert said(text(sp_ids=(*SP_IDS, "SP-1040007")), expected) == ALL_RIGHT

    def test_what_a_settlement_expects(self) -> None:
        data = statement(
            2, corrections=[CORRECTION, CORRECTION.model_copy(update={"sp_id": "SP-1048213"})]
        )
        expected = expected_of(data.settlement)
        assert expected.sp_ids == ("SP-1048213", "SP-1048214")
        assert expected.may_name == ("SP-1040007",)
        assert expected.total == data.settlement.total


class TestWhatIsWrong:
    def test_an_sp_id_is_missing(self) -> None:
        assert said(text(sp_ids=SP_IDS[:2])) == (("SP-1048215",), (), ())

    def test_the_beginning_of_an_sp_id_is_not_it(self) -> None:
        expected = EXPECTED.model_copy(update={"sp_ids": ("SP-104821", "SP-1048214")})
        assert said(text(sp_ids=("SP-1048214",)), expected) == (("SP-104821",), (), ())

    @pytest.mark.parametrize("other", ["SP-9999999", "SP 9999999", "SP-\n9999999", "sp9999999"])
    def test_an_sp_id_is_foreign(self, other: str) -> None:
        assert said(text(sp_ids=(*SP_IDS, other))) == ((), ("SP-9999999",), ())

    def test_a_foreign_one_stands_once(self) -> None:
        assert said(text(sp_ids=(*SP_IDS, "SP-7", "SP-7"))) == ((), ("SP-7",), ())

    def test_words_are_not_foreign(self) -> None:
        more = "SP-ID Ausführung\nSP-Team 044\nWhatsapp 079 555 01 02 GmbH-SP2026x"
        assert said(text() + more) == ALL_RIGHT

    @pytest.mark.parametrize(
        ("total", "problems"),
        [
            ("CHF 1'234.55", ("no_total", "other_total")),
            ("1'234", ("no_total",)),
            ("CHF 1'224.50", ("no_total",)),
            ("exkl. CHF 1'234.50, Anfahrt 50.00\nRechnungsbetrag CHF 1'284.50", ("other_total",)),
        ],
    )
    def test_the_total_is_another(self, total: str, problems: tuple[str, ...]) -> None:
        assert said(text(total=total)) == ((), (), problems)

    def test_a_part_may_be_more_than_the_total(self) -> None:
        more = "Zwischentotal 1'500.00\nSous-total 1'500.00\nGutschrift -265.50\nTotal MWST 92.50\n"
        assert said(more + text()) == ALL_RIGHT

    def test_the_number_is_missing_or_another(self) -> None:
        assert said(text("2026-10")) == ((), (), ("no_settlement_id",))
        other = "V202609-Q93Q3BS6"
        assert said(text(other)) == ((), (), ("no_settlement_id", "other_settlement"))
        assert said(text(f"{ID} / {other}")) == ((), (), ("other_settlement",))

    def test_a_reference_with_wrong_check_digits(self) -> None:
        assert said(text(REFERENCE.replace("RF70", "RF71"))) == ((), (), ("bad_reference",))

    def test_a_scan(self) -> None:
        assert said(" \n\x0c ") == ((), (), ("no_text",))


class TestCodes:
    def code(self, **changes: str) -> str:
        values = {
            "amount": "1234.50",
            "currency": "CHF",
            "kind": "SCOR",
            "reference": REFERENCE.replace(" ", ""),
        }
        values |= changes
        fields = [
            "SPC",
            "0200",
            "1",
            "CH9300762011623852957",
            *["x"] * 14,
            values["amount"],
            values["currency"],
        ]
        return "\r\n".join([*fields, *["x"] * 7, values["kind"], values["reference"], "", "EPD"])

    @pytest.mark.parametrize(
        ("changes", "problems"),
        [
            ({}, ()),
            ({"amount": ""}, ()),
            ({"amount": "1234.5"}, ()),
            ({"amount": "1234.55"}, ("qr_amount",)),
            ({"amount": "1e9"}, ("qr_amount",)),
            ({"currency": "EUR"}, ("qr_currency",)),
            ({"kind": "NON", "reference": ""}, ()),
            ({"kind": "QRR", "reference": "210000000003139471430009017"}, ()),
            ({"reference": "RF18539007547034"}, ("qr_reference",)),
            ({"reference": creditor_reference("V202609-Q93Q3BS6")}, ("qr_reference",)),
        ],
    )
    def test_say_the_same(self, changes: dict[str, str], problems: tuple[str, ...]) -> None:
        assert said(text(), EXPECTED, self.code(**changes)) == ((), (), problems)

    def test_others_do_not_matter(self) -> None:
        assert said(text(), EXPECTED, "https://example.ch", "SPC\n0200", "") == ALL_RIGHT


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_problem_has_its_sentence(language: str) -> None:
    for code in ProblemCode.__args__:
        sentence = problem_text(Problem(code=code, detail="{x}"), language)
        assert len(sentence) > 15
        assert "{detail}" not in sentence


class TestFiles:
    async def test_of_another_program(self) -> None:
        pdf = paper(invoice(ID, SP_IDS, "CHF 1'234.50"))
        assert (await check_invoice(pdf, EXPECTED)).accepted
        wrong = paper(invoice(ID, (*SP_IDS[1:], "SP-5"), "CHF 1'234.00"))
        verdict = judge(read(wrong), EXPECTED)
        assert verdict.missing == ("SP-1048213",)
        assert verdict.foreign == ("SP-5",)
        assert [each.code for each in verdict.problems] == ["no_total"]

    @needs("pango")
    async def test_our_own_draft_is_accepted(self, tmp_path: Path) -> None:
        data = statement(30, corrections=[CORRECTION])
        file = tmp_path / "invoice.pdf"
        made = await invoice_confined(InvoiceData.model_validate(data.model_dump()))
        file.write_bytes(made.pdf)
        assert (await check_invoice(file, expected_of(data.settlement))).accepted
        verdict = judge(read(made.pdf), expected_of(statement(31).settlement))
        assert verdict.missing == ("SP-1048243",)
        assert {each.code for each in verdict.problems} == {"no_total", "qr_amount"}

    async def test_a_draft_of_many_orders_is_accepted_in_time(self) -> None:
        data = statement([each.model_copy(update={"service": "Montage"}) for each in lines(300)])
        made = draft_invoice(data)
        assert (await check_invoice(made.pdf, expected_of(data.settlement))).accepted

    @needs("pango")
    def test_the_statement_itself_is_refused_for_its_files(self) -> None:
        """A partner that sends the statement back has named everything. It has files for programs, an invoice none."""
        data = statement(3)
        verdict = judge(read(render(data).pdf), expected_of(data.settlement))
        assert [each.code for each in verdict.problems] == ["attachment"]


class TestHostileFiles:
    async def refused(self, pdf: bytes, code: str, **limits: float) -> None:
        given = {"memory": 600 << 20, "seconds": 20} | limits
        verdict = await check_invoice(pdf, EXPECTED, Limits(int(given["memory"]), given["seconds"]))
        assert not verdict.accepted
        assert [each.code for each in verdict.problems] == [code]

    async def test_no_pdf(self, tmp_path: Path) -> None:
        for data in (b"", b"MZ\x90", b"<html>%PDF", b"x" * 2000 + b"%PDF-1.7"):
            await self.refused(data, "not_a_pdf")
        await self.refused(b"%PDF-1.7\n%%EOF", "unreadable")
        found = read(b"%PDF-1.7\n" + random.Random(1).randbytes(5000))
        assert found.problem == Problem(code="unreadable")
        file = tmp_path / "large.pdf"
        with file.open("wb") as large:
            large.write(b"%PDF-1.7")
            large.truncate(LARGEST + 1)
        assert (await check_invoice(file, EXPECTED)).problems[0].code == "too_large"

    async def test_what_could_not_be_read_just_now_is_no_verdict(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "executable", "/nowhere/python")
        with pytest.raises(ConfinedError):
            await check_invoice(b"%PDF-1.7", EXPECTED)

    def test_encrypted(self) -> None:
        writer = PdfWriter(io.BytesIO(paper(["x"])))
        writer.encrypt("secret", algorithm="AES-256")
        assert read(_bytes(writer)).problem == Problem(code="encrypted")

    def test_protected_against_changes_only(self) -> None:
        writer = PdfWriter(io.BytesIO(paper(invoice(ID, SP_IDS, "1234.50"))))
        writer.encrypt("", "secret", algorithm="AES-256")
        assert judge(read(_bytes(writer)), EXPECTED).accepted

    def test_too_many_pages(self) -> None:
        found = read(paper(["x"] * (MOST_PAGES + 1), each_page=1))
        assert found.problem == Problem(code="too_many_pages", detail=str(MOST_PAGES))

    async def test_a_bomb_in_a_stream(self) -> None:
        bomb = zlib.compress(b"(x) Tj " * 30_000_000, 9)
        assert len(bomb) < 1 << 20
        await self.refused(_with_stream(bomb), "unreadable", memory=300 << 20)

    async def test_time_is_up(self) -> None:
        slow = zlib.compress(b"0 0 m 500 500 l S\n" * 2_000_000, 9)
        await self.refused(_with_stream(slow), "unreadable", seconds=0.3)

    async def test_a_page_as_large_as_a_house(self) -> None:
        writer = PdfWriter(io.BytesIO(paper(invoice(ID, SP_IDS, "1234.50"))))
        writer.pages[0].mediabox.upper_right = (900_000, 900_000)
        assert (await check_invoice(_bytes(writer), EXPECTED, Limits(600 << 20, 20))).accepted

    async def test_text_that_makes_regular_expressions_slow(self) -> None:
        lines = (
            "SP-" + "1" * 3000 + "A",
            "SP- " * 700,
            "1'111" * 700,
            "Total " * 500,
            "RF70V2026" * 300,
        )
        slow = paper([line for line in lines for _ in range(20)], size=1)
        verdict = await check_invoice(slow, EXPECTED, Limits(600 << 20, 20))
        assert verdict.missing == SP_IDS

    async def test_broken_files_are_never_an_error(self) -> None:
        whole = paper(invoice(ID, SP_IDS, "CHF 1'234.50"))
        with one_process_for_documents():
            verdicts = [await check_invoice(each, EXPECTED) for each in _broken(whole)]
        assert all(verdict.accepted or verdict.problems or verdict.missing for verdict in verdicts)


def _broken(whole: bytes) -> Iterator[bytes]:
    """Lists in lists, cut off, and with bytes changed."""
    yield b"%PDF-1.7\n" + b"[" * 200_000
    chance = random.Random(7)
    for share in (0.3, 0.9):
        yield whole[: int(len(whole) * share)]
    for _ in range(8):
        changed = bytearray(whole)
        for _ in range(30):
            changed[chance.randrange(9, len(changed))] = chance.randrange(256)
        yield bytes(changed)


def _bytes(writer: PdfWriter) -> bytes:
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


def _with_stream(compressed: bytes) -> bytes:
    """A page that is this stream."""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R"
        b"/Resources<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>",
        b"<</Filter/FlateDecode/Length %d>>stream\n%s\nendstream" % (len(compressed), compressed),
    ]
    out = b"%PDF-1.7\n"
    for number, content in enumerate(objects, 1):
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    return out + b"trailer<</Root 1 0 R/Size 5>>\n%%EOF"


class TestDraft:
    def test_shows_what_an_invoice_needs(self) -> None:
        data = statement(2, corrections=[CORRECTION])
        made = draft_invoice(data)
        (page,) = PdfReader(io.BytesIO(made.pdf)).pages
        shown = page.extract_text()
        for expected in (
            "Entwurf zur Prüfung, keine Rechnung.",
            "Elektro Huber AG",
            "MWST-Nr. CHE-123.456.788 MWST",
            "IBAN CH93 0076 2011 6238 5295 7",
            "Muster Versandhandel AG",
            ID,
            REFERENCE,
            "SP-1048213",
            "SP-1040007",
            "Seite 1 von 1",
        ):
            assert expected in shown

    def test_the_code_is_the_bill(self) -> None:
        data = statement(2, language="fr")
        (code,) = read(draft_invoice(data).pdf).codes
        fields = code.split("\r\n")
        assert fields[:4] == ["SPC", "0200", "1", "CH9300762011623852957"]
        assert fields[5:8] == ["Elektro Huber AG", "Langstrasse", "12"]
        assert fields[18:20] == [str(data.settlement.total), "CHF"]
        assert fields[27:29] == ["SCOR", creditor_reference(ID)]

    @pytest.mark.parametrize(
        ("of", "partner"),
        [
            (2, {"iban": None}),
            (2, {"iban": "CH93 0076 2011 6238 5295 8"}),
            (2, {"iban": "CH44 3199 9123 0008 8901 2"}),  # a QR-IBAN wants a QR reference
            (2, {"iban": "DE89 3704 0044 0532 0130 00"}),
            (0, {}),
        ],
    )
    def test_without_an_iban_for_it_there_is_no_bill(self, of: int, partner: dict) -> None:
        made = read(draft_invoice(statement(of, **partner)).pdf)
        assert made.codes == ()
        assert ID in made.text

    def test_hostile_letterheads(self) -> None:
        evil = "</svg><script>x</script>" + "W" * 170
        made = draft_invoice(statement(2, name=evil, street=evil, city=evil))
        found = read(made.pdf)
        assert "<script>x</script>" in found.text
        assert found.codes

    def test_the_same_data_gives_the_same_bytes(self) -> None:
        assert draft_invoice(statement(3)).sha256 == draft_invoice(statement(3)).sha256
