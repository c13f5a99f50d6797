"""Recognises an invoice that is marked as a draft, in its metadata or in its text."""

import re
from collections.abc import Iterable
from functools import cache

from domain.values import LANGUAGES
from words.documents import document_words

KEYWORD = "CMI-draft-invoice"
"""The keyword in the metadata of the drafts that CMI makes."""
_WORDS = (
    "entwurf",
    "rechnungsentwurf",
    "brouillon",
    "projet",
    "projet de facture",
    "bozza",
    "bozza di fattura",
    "draft",
    "draft invoice",
    "invoice draft",
)


def is_marked_as_draft(text: str, metadata: Iterable[str]) -> bool:
    """Whether an invoice is marked as a draft: by our keyword, our sentence, or a line that says only that.

    `metadata`: the values in the file's description, such as its title and keywords.
    """
    if any(KEYWORD.lower() in value.lower() for value in metadata):
        return True
    flat = _flat(text)
    if any(mark in flat for mark in _marks()):
        return True
    return any(_flat(re.sub(r"[\W_]+", " ", line)) in _WORDS for line in text.splitlines())


@cache
def _marks() -> tuple[str, ...]:
    """The marks on each page of our drafts, in each language: the sentence at the beginning, and the page's head."""
    found = []
    for language in LANGUAGES:
        words = document_words("invoice", language)
        sentence = words["draft"].partition(".")[0]
        found += [_flat(sentence), _flat(f"· {words['footer']} ·")]
    return tuple(found)


def _flat(text: str) -> str:
    return " ".join(text.split()).casefold()
