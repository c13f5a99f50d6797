"""The statement as others read it: pypdf, pdftotext, a spreadsheet."""

import csv
import hashlib
import io
import json
import re
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError
from pypdf import PdfReader

from development.embedded import ROOT
from documents.confined import ConfinedError, Limits
from documents.formats import money
from domain.settlements.lines import CorrectionLine, Line
from domain.values import LANGUAGES, Language
from statements.attachments import statement_csv, statement_json
from statements.data import Document, StatementData
from statements.render_process import render_confined
from tests.statements.samples import CORRECTION, lines, statement
from tests.support.needs import needs
from tests.support.rendering import render

HOSTILE = [
    "<script>alert(1)</script>",
    '<img src="file:///etc/passwd"><link rel=attachment href="file:///etc/passwd">',
    "</p></section><style>*{display:none}</style>",
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt; &amp; \\n %s {total}",
    '=HYPERLINK("http://evil.example";"Klick")',
    "@import url(http://evil.example/x.css)",
    "\u202eRechnung\u202c \u200b🎉 日本",
    "x" * 200,
    "Wwwww " * 33,
]


def text_of(made: Document) -> list[str]:
    """The text of each page, by pypdf; blanks are single."""
    pages = PdfReader(io.BytesIO(made.pdf)).pages
    return [re.sub(r"[ \u00a0]+", " ", page.extract_text()) for page in pages]


@pytest.mark.parametrize("language", LANGUAGES)
def test_asks_for_no_invoice_where_there_is_nothing_to_pay(language: Language) -> None:
    minus = CORRECTION.model_copy(update={"amount": Decimal("-500.00")})
    owed, nothing = (
        text_of(render(statement(1, language=language, corrections=corrections)))[0]
        for corrections in ([], [minus])
    )
    assert owed.count("PDF") - nothing.count("PDF") == 1, "as which the invoice is asked for"


def test_shows_everything() -> None:
    """The list of docs/rules.md, "Settlement"."""
    data = statement(3, corrections=[CORRECTION])
    (page,) = text_of(render(data))
    settlement = data.settlement
    for expected in (
        "Verrechnungsbeleg",
        settlement.settlement_id,
        "RF70 V202 610Q 93Q3 BS6",
        "Elektro Huber AG\nLangstrasse 12\n8004 Zürich\nMWST-Nr. CHE-123.456.788 MWST",
        "01.10.2026 – 31.10.2026",
        "Dieser Beleg ist keine Rechnung.",
        "Ihre Rechnung senden Sie an: Muster Versandhandel AG, Kreditorenbuchhaltung,",
        "kreditoren@example.ch",
        "SP-1048213 48392011 01.10.2026 Waschmaschine anschliessen 8004 Zürich 129.00 10.45",
        "SP-1048214 48392018 11.10.2026 Geschirrspüler einbauen 3012 Bern 189.00 15.31",
        "SP-1040007 Im September zu viel verrechnet",
        "-35.00 -2.84",
        f"Netto {money(settlement.net)}",
        f"MWST 8.1 % auf {money(settlement.net)} {money(settlement.vat)}",
        f"Total CHF {money(settlement.total)}",
        "Seite 1 von 1",
    ):
        assert expected in page


def test_says_in_bold_that_it_is_no_invoice_and_where_that_goes() -> None:
    bold: list[str] = []

    def visit(text: str, cm: object, tm: object, font: dict | None, size: object) -> None:
        if font and "Bold" in font["/BaseFont"]:
            bold.append(text)

    PdfReader(io.BytesIO(render(statement()).pdf)).pages[0].extract_text(visitor_text=visit)
    found = "".join(bold)
    assert "Dieser Beleg ist keine Rechnung." in found
    assert "Ihre Rechnung senden Sie an: Muster Versandhandel AG" in found
    assert "Senden Sie die Rechnung als PDF" not in found


@pytest.mark.parametrize("language", LANGUAGES)
def test_speaks_the_partners_language(language: Language) -> None:
    words = {
        "de": (
            "Verrechnungsbeleg",
            "keine Rechnung",
            "Oktober 2026",
            "Seite 1 von 1",
            "MWST 8.1 %",
        ),
        "fr": ("Décompte", "pas une facture", "Octobre 2026", "Page 1 sur 1", "TVA 8.1 %"),
        "it": ("Conteggio", "non è una fattura", "Ottobre 2026", "Pagina 1 di 1", "IVA 8.1 %"),
        "en": (
            "Settlement statement",
            "not an invoice",
            "October 2026",
            "Page 1 of 1",
            "VAT 8.1 %",
        ),
    }
    (page,) = text_of(render(statement(2, language=language)))
    for word in words[language]:
        assert word in page
    others = {word for other in LANGUAGES if other != language for word in words[other]}
    assert not [word for word in others if word in page]


def test_without_vat_there_is_none() -> None:
    data = statement(2, vat=False)
    (page,) = text_of(render(data))
    assert "nicht steuerpflichtig" in page
    assert "MWST CHF" not in page
    assert f"Total CHF {money(data.settlement.net)}" in page


def test_two_rates_are_two_sums() -> None:
    picked = [lines(1)[0], lines(2)[1].model_copy(update={"executed_on": date(2023, 12, 30)})]
    (page,) = text_of(render(statement(picked)))
    assert "MWST 7.7 % auf 189.00 14.55" in page
    assert "MWST 8.1 % auf 129.00 10.45" in page
    assert "Total CHF 343.00" in page


def test_an_empty_settlement_is_a_page_that_says_so() -> None:
    (page,) = text_of(render(statement(0)))
    assert "wird kein Auftrag verrechnet" in page
    assert "Total CHF 0.00" in page


@pytest.fixture(scope="module")
def long() -> tuple[StatementData, Document, list[str]]:
    data = statement(120, corrections=[CORRECTION])
    made = render(data)
    return data, made, text_of(made)


def test_pages_follow_each_other(long: tuple[StatementData, Document, list[str]]) -> None:
    data, made, pages = long
    assert len(pages) == made.pages > 4
    for number, page in enumerate(pages, 1):
        assert f"Seite {number} von {len(pages)}" in page
        assert "SP-ID Verkaufsauftrag Ausgeführt Dienstleistung Ort Betrag CHF MWST CHF" in page
        assert data.settlement.settlement_id in page
    found = re.findall(r"^SP-\d+", "\n".join(pages), re.MULTILINE)
    assert found == [each.sp_id for each in data.settlement.lines] + [CORRECTION.sp_id]
    assert f"Total CHF {money(data.settlement.total)}" in pages[-1]


def test_printed_amounts_add_up(long: tuple[StatementData, Document, list[str]]) -> None:
    data, _, pages = long
    amounts = re.findall(
        r"(?:^| )(-?[\d']+\.\d\d) (-?[\d']+\.\d\d)$", "\n".join(pages), re.MULTILINE
    )
    amounts = [pair for pair in amounts if pair[0] != money(data.settlement.net)]
    net, vat = (sum(Decimal(pair[i].replace("'", "")) for pair in amounts) for i in (0, 1))
    assert len(amounts) == 121
    assert (net, vat) == (data.settlement.net, data.settlement.vat)


def test_is_a_plain_pdf_that_says_when_it_was_made(
    long: tuple[StatementData, Document, list[str]],
) -> None:
    """What it declares itself to be, its tags and its fonts: test_tags.py."""
    for made in (long[1], render(statement(1))):
        reader = PdfReader(io.BytesIO(made.pdf), strict=True)
        root = reader.root_object
        assert made.pdf.startswith(b"%PDF-1.7\n%")
        assert min(made.pdf[10:14]) > 127
        assert root["/OutputIntents"][0]["/S"] == "/GTS_PDFA1"
        assert len(reader.trailer["/ID"]) == 2
        assert not {"/AcroForm", "/OpenAction", "/AA"} & set(root)
        assert len(root["/AF"]) == 2
        for page in reader.pages:
            assert [round(float(edge)) for edge in page.mediabox] == [0, 0, 595, 842]
        assert reader.metadata is not None
        assert reader.metadata.title == "Verrechnungsbeleg V202610-Q93Q3BS6"
        assert reader.metadata.creation_date is not None
        assert reader.metadata.creation_date.date() == date(2026, 11, 1)


def test_brings_its_lines_as_csv_and_json() -> None:
    data = statement(3, corrections=[CORRECTION])
    reader = PdfReader(io.BytesIO(render(data).pdf))
    assert sorted(reader.attachments) == ["V202610-Q93Q3BS6.csv", "V202610-Q93Q3BS6.json"]
    assert [each.get_object()["/AFRelationship"] for each in reader.root_object["/AF"]] == [
        "/Data"
    ] * 2
    table, content = (reader.attachments[f"V202610-Q93Q3BS6.{kind}"][0] for kind in ("csv", "json"))
    assert table == statement_csv(data)
    assert content == statement_json(data)
    assert table.startswith(b"\xef\xbb\xbftype;sp_id;sales_order_id;executed_on;")
    rows = list(csv.DictReader(io.StringIO(table.decode("utf-8-sig")), delimiter=";"))
    assert [row["sp_id"] for row in rows] == [
        "SP-1048213",
        "SP-1048214",
        "SP-1048215",
        "SP-1040007",
    ]
    assert rows[3] == {
        "type": "correction",
        "sp_id": "SP-1040007",
        "sales_order_id": "",
        "executed_on": "2026-09-14",
        "service": "",
        "customer_place": "",
        "reason": CORRECTION.reason,
        "net": "-35.00",
        "vat_percent": "8.1",
        "vat": "-2.84",
    }
    read = json.loads(content)
    assert read["total"] == str(data.settlement.total)
    assert sum(Decimal(row["net"]) for row in read["lines"]) == data.settlement.net
    assert read["lines"][0]["customer_place"] == "8004 Zürich"


@pytest.mark.parametrize("start", ["=1+1", "+41", "-1", "@SUM(A1)", " =1", "＝1"])
def test_no_cell_is_a_formula(start: str) -> None:
    picked = [lines(1)[0].model_copy(update={"service": start, "customer_place": f'{start};"x"'})]
    table = statement_csv(statement(picked)).decode("utf-8-sig")
    (row,) = csv.DictReader(io.StringIO(table), delimiter=";")
    assert row["service"] == f"'{start}"
    assert row["customer_place"] == f'\'{start};"x"'
    assert row["net"] == "129.00"


@needs("pango")
def test_hostile_text_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(self: object, url: str, headers: object = None) -> None:
        raise AssertionError(f"fetched {url}")

    monkeypatch.setattr("documents.pdf._NoFetcher.fetch", fetch)
    picked = [
        Line(
            sp_id=f"SP-{number}",
            sales_order_id=text,
            executed_on=date(2026, 10, 14),
            service=text,
            customer_place=text,
            fee=Decimal("99999999.99"),
        )
        for number, text in enumerate(HOSTILE)
    ]
    correction = CorrectionLine(
        sp_id="S" * 64, reason=HOSTILE[2] + "\n" * 300 + "W" * 1500, amount=-1
    )
    made = render(
        statement(
            picked, name=HOSTILE[0], street=HOSTILE[2], city=HOSTILE[1], corrections=[correction]
        )
    )
    pages = "".join(text_of(made))
    assert HOSTILE[0] in pages
    everything = "".join(pages.split())
    for text in ("alert(1)", "file:///etc/passwd", "{{7*7}}", "&amp;", "{display:none}", "x" * 10):
        assert text in everything
    assert "Seite 1 von" in pages
    assert sorted(PdfReader(io.BytesIO(made.pdf)).attachments) == [
        "V202610-Q93Q3BS6.csv",
        "V202610-Q93Q3BS6.json",
    ]
    assert b"evil" not in made.pdf
    assert all(
        "/Annots" not in page and "/AA" not in page
        for page in PdfReader(io.BytesIO(made.pdf)).pages
    )


@needs("pango")
async def test_the_same_data_gives_the_same_bytes_in_another_process() -> None:
    data = statement(60, language="fr")
    here = render(data)
    assert here == render(data) == await render_confined(data)
    assert hashlib.sha256(here.pdf).hexdigest() == here.sha256
    assert (
        here.input_checksum
        == data.checksum
        == StatementData.model_validate_json(data.model_dump_json()).checksum
    )
    assert re.fullmatch(r"statement-[0-9a-f]{12}", here.template_version)


def test_other_data_gives_another_document() -> None:
    base = statement(1)
    other = base.model_copy(update={"created": date(2026, 11, 2)})
    assert base.checksum != other.checksum
    assert render(base).sha256 != render(other).sha256


def test_of_one_partner_only() -> None:
    with pytest.raises(ValidationError, match="another partner"):
        statement(1, partner_id="sanitaer-meier")


@needs("pango")
def test_memory_for_many_orders() -> None:
    """The budget is 400 MB for 2,000 orders; memory grows with their number (docs/documents.md)."""
    made = subprocess.run(
        [sys.executable, "-m", "bench.documents", "250"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    assert json.loads(made.stdout)["megabytes"] < 125


@needs("pango")
async def test_a_limit_is_a_clean_error() -> None:
    with pytest.raises(ConfinedError) as error:
        await render_confined(statement(1), Limits(memory=90 << 20, seconds=60))
    assert error.value.kind in ("memory", "failed")  # a C library that finds no memory crashes
    with pytest.raises(ConfinedError) as error:
        await render_confined(statement(2000), Limits(memory=1 << 30, seconds=0.8))
    assert error.value.kind == "time"


@needs("pdftotext")
def test_poppler_reads_the_same(tmp_path: Path) -> None:
    data = statement(40)
    file = tmp_path / "statement.pdf"
    file.write_bytes(render(data).pdf)
    text = subprocess.run(
        ["pdftotext", "-layout", file, "-"], capture_output=True, text=True, check=True
    )
    assert not text.stderr
    rows = re.findall(r"^(SP-\d+) .* ([\d']+\.\d\d) +([\d']+\.\d\d)$", text.stdout, re.MULTILINE)
    assert rows == [
        (each.sp_id, money(each.fee), money(data.settlement.vat_on(each)))
        for each in data.settlement.lines
    ]
