"""What is marked as a draft is recognised, and what only speaks of drafts is not."""

import pytest

from domain.values import LANGUAGES
from invoices.drafts import KEYWORD, is_marked_as_draft
from words.documents import document_words

INVOICE = "Rechnung R-1\nV202610-Q93Q3BS6\nSP-1 Waschmaschine anschliessen 129.00\nTotal CHF 139.45"


@pytest.mark.parametrize("language", LANGUAGES)
def test_our_own_drafts(language: str) -> None:
    words = document_words("invoice", language)  # type: ignore[arg-type]
    assert is_marked_as_draft(f"{INVOICE}\n{words['draft']}", ())
    broken = words["draft"].replace(" ", "\n", 2)
    assert is_marked_as_draft(f"{broken}\n{INVOICE}", ()), "over two lines"
    head = f"{words['title']} V202610-Q93Q3BS6 · {words['footer']} · Elektro Huber AG"
    assert is_marked_as_draft(f"{head}\n{INVOICE}", ()), "of a later page"
    assert is_marked_as_draft(INVOICE, ("Rechnung", f"x, {KEYWORD}"))


@pytest.mark.parametrize(
    "line", ["ENTWURF", "  *** Entwurf ***", "- Draft -", "Projet de facture", "BOZZA", "brouillon"]
)
def test_a_line_that_says_nothing_else(line: str) -> None:
    assert is_marked_as_draft(f"{INVOICE}\n{line}\nSeite 1", ())


@pytest.mark.parametrize(
    "line",
    [
        "Gemäss Ihrem Entwurf vom 3. November",
        "Draft Beer GmbH",
        "Entwurf 7: Küche",
        "Projektleitung",
    ],
)
def test_a_text_that_only_speaks_of_one(line: str) -> None:
    assert not is_marked_as_draft(f"{INVOICE}\n{line}", ("Rechnung R-1", "Elektro Huber AG"))
