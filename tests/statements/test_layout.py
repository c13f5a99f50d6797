"""What is on which page, and where: as pdftotext and pypdf see it."""

import io
import re
import subprocess
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from fontTools.ttLib import TTFont
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader

from documents.formats import money
from documents.text import FONTS, REPLACEMENT, clean
from domain.settlements.lines import Line
from domain.values import LANGUAGES, Language
from statements.data import Document, StatementData
from tests.statements.samples import CORRECTION, lines, statement
from tests.support.needs import needs
from tests.support.rendering import draft_invoice, render

PAPER = (595.28, 841.89)  # points
MILLIMETRE = 72 / 25.4
LABELS = {
    "de": "SP-ID Verkaufsauftrag Ausgeführt Dienstleistung Ort Betrag CHF MWST CHF",
    "fr": "SP-ID Commande Exécuté le Prestation Lieu Montant CHF TVA CHF",
    "it": "SP-ID Ordine Eseguito il Servizio Località Importo CHF IVA CHF",
    "en": "SP-ID Sales order Executed on Service Place Amount CHF VAT CHF",
}


class Word:
    """A word on a page: its text and its edges, in points from the page's top left."""

    def __init__(self, element: ElementTree.Element) -> None:
        self.text = element.text or ""
        self.left, self.top, self.right, self.bottom = (
            float(element.attrib[edge]) for edge in ("xMin", "yMin", "xMax", "yMax")
        )


def words_of(made: Document, folder: Path) -> list[list[Word]]:
    """The words of each page."""
    pdf, html = folder / "made.pdf", folder / "made.html"
    pdf.write_bytes(made.pdf)
    subprocess.run(["pdftotext", "-bbox", pdf, html], check=True)
    space = "{http://www.w3.org/1999/xhtml}"
    pages = ElementTree.parse(html).iter(f"{space}page")
    return [[Word(word) for word in page.iter(f"{space}word")] for page in pages]


def rows_of(words: list[Word]) -> list[list[Word]]:
    """The words of a page by the height they stand at, each row from left to right."""
    rows: dict[int, list[Word]] = {}
    for word in words:
        rows.setdefault(round(word.bottom), []).append(word)
    return [sorted(rows[at], key=lambda word: word.left) for at in sorted(rows)]


def text(row: list[Word]) -> str:
    """The words of a row."""
    return " ".join(word.text for word in row)


# --- text ------------------------------------------------------------------------------------------


@given(st.text(max_size=80))
def test_cleaned_text_is_one_printable_line_that_the_fonts_have(text: str) -> None:
    shown = clean(text)
    assert clean(shown) == shown
    assert shown.isprintable() or "\u00a0" in shown


@pytest.mark.parametrize("weight", ["Regular", "Bold"])
def test_the_fonts_have_the_characters_of_the_list(weight: str) -> None:
    with TTFont(FONTS / f"NotoSans-{weight}.ttf") as font:
        has = set(font.getBestCmap())
    for code in {*range(0x3000), *has}:
        shown = clean(f"a{chr(code)}b")[1:-1]
        assert REPLACEMENT not in shown or code == ord(REPLACEMENT) or code not in has
        assert all(ord(character) in has for character in shown)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zu\u0308rich", "Zürich"),
        ("  viel \t Platz \r\n", "viel Platz"),
        ("\u202egnP\u2066.exe", "gnP.exe"),
        ("un\u200bsicht\u00adbar\ufeff", "unsichtbar"),
        ("a\x00b\x1bc", "abc"),
        ("Łódź, Đặng & Ñandú’s «Été»", "Łódź, Đặng & Ñandú’s «Été»"),
        ("日本 🎉 العربية", f"{REPLACEMENT * 2} {REPLACEMENT} {REPLACEMENT * 7}"),
        ("a\u2003b", "a b"),
        ("", ""),
    ],
)
def test_clean(text: str, shown: str) -> None:
    assert clean(text) == shown


@pytest.mark.parametrize(
    ("amount", "text"),
    [("1234.5", "1'234.50"), ("-35", "-35.00"), ("0", "0.00"), ("1234567.89", "1'234'567.89")],
)
def test_money(amount: str, text: str) -> None:
    assert money(Decimal(amount)) == text


# --- pages -----------------------------------------------------------------------------------------


@needs("pdftotext")
@pytest.mark.parametrize("language", LANGUAGES)
def test_each_page_has_the_head_of_the_table_and_its_number(
    language: Language, tmp_path: Path
) -> None:
    pages = words_of(render(statement(45, language=language)), tmp_path)
    assert len(pages) > 1
    of = {"de": "Seite {} von {}", "fr": "Page {} sur {}", "it": "Pagina {} di {}"}
    for number, page in enumerate(pages, 1):
        rows = [text(row) for row in rows_of(page)]
        assert rows.count(LABELS[language]) == 1
        assert rows[-1].endswith(of.get(language, "Page {} of {}").format(number, len(pages)))


@needs("pdftotext")
@pytest.mark.parametrize("make", [render, draft_invoice])
def test_amounts_end_at_the_same_place_within_the_page(
    make: Callable[[StatementData], Document], tmp_path: Path
) -> None:
    fees = ["0.05", "7.00", "1234.50", "99999999.99"]
    picked = [
        line.model_copy(update={"fee": Decimal(fee)})
        for line, fee in zip(lines(4), fees, strict=True)
    ]
    data = statement(picked, corrections=[CORRECTION])
    pages = words_of(make(data), tmp_path)
    rows = [row for page in pages for row in rows_of(page) if row[0].text.startswith("SP-")]
    body = [row for row in rows if row[0].text != "SP-ID"]
    assert len(body) == 5
    for column in (-1, -2):
        ends = [row[column].right for row in body]
        assert max(ends) - min(ends) < 0.1
        assert all(before.right < after.left for row in rows for before, after in pairwise(row))
    assert {row[-2].text for row in body} >= {money(Decimal(fee)) for fee in fees}
    assert max(row[-1].right for row in rows) < PAPER[0] - 16 * MILLIMETRE + 0.5


@needs("pdftotext")
@pytest.mark.parametrize(
    ("make", "number"),
    [
        *((render, number) for number in (18, 19, 20, 21, 22)),
        *((draft_invoice, number) for number in (6, 7, 8, 18, 19, 20, 21, 22)),
    ],
)
def test_the_sums_are_on_the_page_of_the_last_line(
    make: Callable[[StatementData], Document], number: int, tmp_path: Path
) -> None:
    """However many lines fill the first page or leave no room for the payment part on it.

    A heading is on the page of the line that follows it.
    """
    picked = [each.model_copy(update={"service": "Montage"}) for each in lines(number)]
    pages = words_of(make(statement(picked, corrections=[CORRECTION])), tmp_path)
    shown = [[text(row) for row in rows_of(page)] for page in pages]
    sums = next(at for at, row in enumerate(shown[-1]) if "Total CHF" in row)
    assert any(row.startswith("SP-1") for row in shown[-1][:sums])
    (rows,) = [rows for rows in shown if "Korrekturen" in rows]
    assert rows[rows.index("Korrekturen") + 1].startswith(CORRECTION.sp_id)


def test_an_identifier_is_not_broken_without_need() -> None:
    """Whoever copies it from the PDF has to get it in one piece."""
    shown = PdfReader(io.BytesIO(render(statement(3)).pdf)).pages[0].extract_text()
    for line in lines(3):
        assert line.sp_id in shown
        assert line.sales_order_id in shown


@needs("pdftotext")
def test_what_is_long_is_broken_and_stays_in_its_column(tmp_path: Path) -> None:
    line = Line(
        sp_id="S" * 64,
        sales_order_id="9" * 64,
        executed_on=lines(1)[0].executed_on,
        service="Wärmepumpentrockner" * 6,
        customer_place="9" * 40,
        fee=Decimal("129.00"),
    )
    (page,) = words_of(render(statement([line])), tmp_path)
    shown = Counter("".join(word.text for word in page))
    assert shown["S"] >= 64
    assert shown["9"] >= 104
    for row in rows_of(page):
        assert all(before.right <= after.left + 0.1 for before, after in pairwise(row))


# --- the payment part ------------------------------------------------------------------------------


@needs("pdftotext")
@pytest.mark.parametrize("number", [1, 7, 8, 9, 60])
def test_the_payment_part_is_the_foot_of_the_last_page_and_nothing_else_is_there(
    number: int, tmp_path: Path
) -> None:
    picked = [each.model_copy(update={"service": "Montage"}) for each in lines(number)]
    *before, last = words_of(draft_invoice(statement(picked)), tmp_path)
    cut = PAPER[1] - 105 * MILLIMETRE
    foot = [word for word in last if word.top > cut]
    # The receipt and the payment part have their texts 5 mm from their edges: 62 mm are the receipt's.
    (title,) = [word for word in foot if word.text == "Empfangsschein"]
    assert title.left == pytest.approx(5 * MILLIMETRE, abs=1)
    (title,) = [word for word in foot if word.text == "Zahlteil"]
    assert title.left == pytest.approx((62 + 5) * MILLIMETRE, abs=2)
    assert title.top == pytest.approx(
        563.9, abs=0.5
    )  # 98 mm above the paper's edge, where qrbill has it
    assert text(foot).startswith("Empfangsschein")
    assert not [word for word in last if word.top < cut < word.bottom]
    above = text([word for word in last if word.bottom < cut])
    assert "Total CHF" in above
    assert "SP-1" in above
    for page in before:
        assert "Zahlteil" not in text(page)


def test_lines_of_the_table_are_never_under_the_payment_part() -> None:
    data = statement(12)
    shown = "\n".join(
        page.extract_text() for page in PdfReader(io.BytesIO(draft_invoice(data).pdf)).pages
    )
    assert re.findall(r"^SP-\d+", shown, re.MULTILINE) == [
        line.sp_id for line in data.settlement.lines
    ]
