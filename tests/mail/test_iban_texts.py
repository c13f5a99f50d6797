"""The mails about a changed IBAN, in every language: what they say, and that they do not give the number away."""

import pytest

from domain.iban import in_fours, masked
from domain.values import LANGUAGES, Language
from mail.texts import MailTexts, Reader

KINDS = ("iban_first", "iban_changed", "iban_confirmed", "iban_refused")
OLD, NEW = "CH9300762011623852957", "CH4431999123000889012"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("after", [masked(NEW), None])
def test_what_it_says(kind: str, language: Language, after: str | None) -> None:
    texts = MailTexts("https://cmi.example")
    reader = Reader("Elektro <b>Huber</b> AG", language)
    mail = texts.compose_iban(kind, reader, before=masked(OLD), after=after)
    for shown in (mail.text, mail.html):
        assert "CH93 … 2957" in shown
        assert ("CH44 … 9012" in shown) == (after is not None)
        assert OLD[6:-4] not in shown
        assert in_fours(OLD)[5:14] not in shown
    assert "https://cmi.example" not in mail.text, "a link would teach people to follow one"
    assert "<b>Huber" not in mail.html
    assert mail.subject


@pytest.mark.parametrize("kind", KINDS)
def test_each_language_has_its_own_words(kind: str) -> None:
    texts = MailTexts("https://cmi.example")
    subjects = {
        texts.compose_iban(kind, Reader("x", each), before=None, after=masked(NEW)).subject
        for each in LANGUAGES
    }
    assert len(subjects) == len(LANGUAGES)


@pytest.mark.parametrize(
    ("iban", "shown"),
    [
        (OLD, "CH93 … 2957"),
        ("ch93 0076 2011 6238 5295 7", "ch93 … 2957"),
        ("short", "…"),
        ("", "…"),
    ],
)
def test_masked(iban: str, shown: str) -> None:
    assert masked(iban) == shown
