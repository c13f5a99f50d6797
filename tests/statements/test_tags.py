"""PDF/UA-1 and PDF/A-3a: what a screen reader and an archive find in the documents."""

import io
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from fontTools.ttLib import TTFont
from pypdf import PdfReader
from pypdf.generic import ContentStream

from domain.values import LANGUAGES, Language
from statements.data import Document
from tests.statements.samples import CORRECTION, statement
from tests.support.needs import needs
from tests.support.rendering import draft_invoice, render

RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
A = "{http://www.aiim.org/pdfa/ns/id/}"
UA = "{http://www.aiim.org/pdfua/ns/id/}"


@pytest.fixture(scope="module", params=["statement", "draft"])
def made(request: pytest.FixtureRequest) -> Document:
    """A document of several pages, with corrections; the draft has a payment part."""
    make = render if request.param == "statement" else draft_invoice
    return make(statement(60, corrections=[CORRECTION]))


@pytest.fixture(scope="module")
def reader(made: Document) -> PdfReader:
    """The document, read strictly."""
    return PdfReader(io.BytesIO(made.pdf), strict=True)


def elements(reader: PdfReader) -> Iterator[Any]:
    """The elements of the structure, in the order in which they are read."""

    def below(element: Any) -> Iterator[Any]:
        yield element
        for kid in element["/K"]:
            if not isinstance(kid, int):
                yield from below(kid.get_object())

    (document,) = reader.root_object["/StructTreeRoot"]["/K"]
    yield from below(document.get_object())


def kids(element: Any, *kinds: str) -> list[Any]:
    found = [kid.get_object() for kid in element["/K"] if not isinstance(kid, int)]
    return [kid for kid in found if kid["/S"] in kinds]


def rows(table: Any) -> list[Any]:
    return [row for part in kids(table, "/THead", "/TBody") for row in kids(part, "/TR")]


def test_declares_both_standards_in_one_description(reader: PdfReader) -> None:
    metadata = reader.root_object["/Metadata"].get_data()
    packet = ElementTree.fromstring(metadata[metadata.index(b"<x:xmpmeta") :])
    (rdf,) = packet.findall(f"{RDF}RDF")
    declared = {name: value for each in rdf for name, value in each.attrib.items()}
    assert declared[f"{A}part"] == "3"
    assert declared[f"{A}conformance"] == "A"
    assert declared[f"{UA}part"] == "1"
    # PDF/A wants each schema that it does not know described.
    described = {
        each.text for each in rdf.iter("{http://www.aiim.org/pdfa/ns/schema#}namespaceURI")
    }
    assert described == {UA.strip("{}")}
    titles = [each.text for each in rdf.iter("{http://purl.org/dc/elements/1.1/}title")]
    assert len(titles) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_says_its_language_and_shows_its_title(language: Language) -> None:
    for made in (render(statement(language=language)), draft_invoice(statement(language=language))):
        reader = PdfReader(io.BytesIO(made.pdf), strict=True)
        root = reader.root_object
        assert root["/Lang"] == language
        assert root["/ViewerPreferences"]["/DisplayDocTitle"] == True  # noqa: E712 (a BooleanObject)
        assert root["/MarkInfo"]["/Marked"] == True  # noqa: E712
        assert reader.metadata is not None
        assert "V202610-Q93Q3BS6" in (reader.metadata.title or "")


def test_has_one_table_of_lines_however_many_pages_it_takes(
    reader: PdfReader, made: Document
) -> None:
    tables = [each for each in elements(reader) if each["/S"] == "/Table"]
    (lines,) = [table for table in tables if kids(table, "/THead")]
    assert made.pages > 2
    assert len(tables) == 3, "facts, lines, sums"
    (head,) = kids(lines, "/THead")
    (labels,) = kids(head, "/TR")
    assert len(labels["/K"]) == 7
    assert len(rows(lines)) == 1 + 60 + 2
    for row in rows(lines):
        cells = kids(row, "/TH", "/TD")
        spanned = sum(cell.get("/A", {}).get("/ColSpan", 1) for cell in cells)
        assert spanned == 7
        assert cells[0]["/S"] == "/TH"


def test_each_header_says_whether_it_is_a_column_s_or_a_row_s(reader: PdfReader) -> None:
    seen = set()
    for element in elements(reader):
        if element["/S"] == "/TR":
            in_head = element["/P"]["/S"] == "/THead"
            for cell in kids(element, "/TH"):
                expected = "/Column" if in_head or "/ColSpan" in cell["/A"] else "/Row"
                assert cell["/A"]["/Scope"] == expected
                seen.add(expected)
    assert seen == {"/Column", "/Row"}


def test_each_element_knows_its_parent_and_each_page_its_elements(reader: PdfReader) -> None:
    """What is drawn is either in the structure, once, or an artifact: page headers, footers, rules, repeated heads."""
    in_structure: dict[int, list[int]] = {}
    for element in elements(reader):
        for kid in element["/K"]:
            if isinstance(kid, int):
                page = element.raw_get("/Pg").idnum
                in_structure.setdefault(page, []).append(kid)
            else:
                assert kid.get_object().raw_get("/P") == element.indirect_reference
    nums = reader.root_object["/StructTreeRoot"]["/ParentTree"]["/Nums"]
    for page in reader.pages:
        assert page["/Tabs"] == "/S"
        at = nums[nums.index(page["/StructParents"]) + 1].get_object()
        marked, artifacts, open_ = [], 0, 0
        for operands, operator in ContentStream(page.get_contents(), reader).operations:
            if operator in (b"BDC", b"BMC"):
                open_ += 1
                if operands[0] == "/Artifact":
                    artifacts += 1
                else:
                    marked.append(operands[1]["/MCID"])
            elif operator == b"EMC":
                open_ -= 1
            elif operator in (b"Tj", b"TJ", b"Do", b"S", b"f"):
                assert open_, f"{operator!r} is neither in the structure nor an artifact"
        assert page.indirect_reference is not None
        assert sorted(marked) == sorted(in_structure[page.indirect_reference.idnum])
        assert artifacts
        for mcid in marked:
            assert mcid in at[mcid].get_object()["/K"]


def test_pictures_are_described(reader: PdfReader, request: pytest.FixtureRequest) -> None:
    pictures = [each for each in elements(reader) if each["/S"] == "/Figure"]
    if "draft" in request.node.name:
        (bill,) = pictures
        for part in ("Zahlteil", "CH93 0076 2011 6238 5295 7", "RF70 V202 610Q 93Q3 BS6", "CHF"):
            assert part in bill["/Alt"]
        assert "/BBox" in bill["/A"]
    else:
        assert not pictures


def test_embeds_its_fonts_whole_and_says_what_its_letters_are(reader: PdfReader) -> None:
    files = {}
    for page in reader.pages:
        for font in page["/Resources"]["/Font"].values():
            assert "/ToUnicode" in font
            descriptor = font["/DescendantFonts"][0]["/FontDescriptor"]
            assert re.search("Noto-?Sans|CMI-?Bill", descriptor["/FontName"])
            files[descriptor.raw_get("/FontFile2").idnum] = descriptor["/FontFile2"].get_data()
    assert len(files) in (2, 4), "each once, however many pages"
    assert all(data[:4] == b"\x00\x01\x00\x00" for data in files.values())


def glyphs(content: Any, reader: PdfReader) -> Iterator[tuple[str, int]]:
    """Font and number of each glyph that a page or a picture on it shows."""
    stream = content.get_contents() if "/Contents" in content else content
    font = ""
    for operands, operator in ContentStream(stream, reader).operations:
        if operator == b"Tf":
            font = operands[0]
        elif operator in (b"Tj", b"TJ"):
            for text in operands[0] if operator == b"TJ" else operands:
                if isinstance(text, bytes | str):
                    data = text if isinstance(text, bytes) else text.original_bytes  # type: ignore[attr-defined]
                    for at in range(0, len(data), 2):
                        yield font, int.from_bytes(data[at : at + 2])
        elif operator == b"Do":
            yield from glyphs(content["/Resources"]["/XObject"][operands[0]], reader)


def test_no_letter_is_without_a_glyph() -> None:
    """What the font does not have is shown as �, in the payment part as a question mark."""
    data = statement(1, name="Ħåuser 日本 🎉 عربى", street="Straße 東 12", city="Zürich 京")
    for made in (render(data), draft_invoice(data)):
        reader = PdfReader(io.BytesIO(made.pdf))
        (page,) = reader.pages
        numbers = {}
        for name, font in page["/Resources"]["/Font"].items():
            file = font["/DescendantFonts"][0]["/FontDescriptor"]["/FontFile2"].get_data()
            numbers[name] = TTFont(io.BytesIO(file))["maxp"].numGlyphs
        shown = list(glyphs(page, reader))
        assert len(shown) > 300
        assert all(0 < glyph < numbers[font] for font, glyph in shown)


@needs("pdftotext")
def test_is_read_in_order(tmp_path: Path) -> None:
    """As poppler follows the structure."""
    file = tmp_path / "statement.pdf"
    file.write_bytes(render(statement(14, corrections=[CORRECTION])).pdf)
    out = subprocess.run(
        ["pdfinfo", "-struct-text", file], capture_output=True, text=True, check=True
    ).stdout
    read = re.findall(r'^ *"(.*)"$', out, re.MULTILINE)
    expected = [
        "Muster Versandhandel AG",
        "Verrechnungsbeleg",
        "Oktober 2026",
        "Servicepartner",
        "Elektro Huber AG",
        "Verrechnungs-ID",
        "V202610-Q93Q3BS6",
        "Dieser Beleg ist keine Rechnung.",
        "SP-ID",
        "Betrag CHF",
        "SP-1048213",
        "SP-1048226",
        "Korrekturen",
        "SP-1040007",
        "Netto",
        "Total CHF",
    ]
    places = [read.index(text) for text in expected]
    assert places == sorted(places)
    assert read.count("Verkaufsauftrag") == 1, "the repeated heads are not read"
    assert not [text for text in read if text.startswith("Seite ")]
