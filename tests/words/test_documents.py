"""What documents say: every value has its place, in every language."""

import string

import pytest

from domain.values import LANGUAGES, Language
from words.documents import INVOICE, STATEMENT, document_words


@pytest.mark.parametrize("language", LANGUAGES)
def test_values_are_filled_in_later(language: Language) -> None:
    for document, texts in (("statement", STATEMENT), ("invoice", INVOICE)):
        german, said = document_words(document, "de"), document_words(document, language)
        assert set(said) == {*texts, "months"}
        for name in texts:
            fields = {field for _, field, _, _ in string.Formatter().parse(said[name])}
            assert fields == {field for _, field, _, _ in string.Formatter().parse(german[name])}
            assert "%" not in said[name]


def test_months() -> None:
    assert document_words("statement", "de")["months"][2] == "März"
    assert document_words("statement", "it")["months"][0] == "gennaio"
    assert document_words("invoice", "en")["please"] == (
        "Please state the reference {reference} with your payment."
    )
