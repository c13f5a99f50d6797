"""The texts of the pages: none is missing in any language, and all languages say the same."""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from domain.values import LANGUAGES, Language
from scripts import catalogues
from web.portal import words
from web.portal.formats import day, due, instant, long_day, money, share, time
from web.portal.words import WORDS, Words, say

TRANSLATED: list[Language] = [each for each in LANGUAGES if each != words.SOURCE]
PLACEHOLDER = re.compile(r"%\((\w+)\)s|%[^(%]")


@pytest.mark.parametrize("language", TRANSLATED)
def test_no_text_is_missing(language: Language) -> None:
    found = [each for each in catalogues.faults() if each.startswith(f"{language}/")]
    assert not found, "\n".join(["python -m scripts.catalogues --update", *found])


def test_a_missing_text_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "LOCALE", tmp_path)
    for language in TRANSLATED:
        (tmp_path / language).mkdir()
    (tmp_path / "fr" / "account.po").write_text(
        'msgid "Anmelden"\nmsgstr ""\n\nmsgid "Nie gesagt"\nmsgstr "Jamais dit"\n\n'
        '#, fuzzy\nmsgid "Abmelden"\nmsgstr "Peut-être"\n'
    )
    found = "\n".join(catalogues.faults())
    assert "it/account: missing: 'Anmelden' (templates/account/login.html:" in found
    assert "it/account: missing: 'Das ist nicht Ihr Passwort.' (account.py:" in found
    assert "en/common: missing: 'Zum Inhalt' (templates/base.html:" in found
    assert "en/common: missing: 'bis heute %(time)s' (formats.py:" in found
    assert "fr/account: empty: 'Anmelden'" in found
    assert "fr/account: fuzzy: 'Abmelden'" in found
    assert "fr/account: nobody says 'Nie gesagt'" in found


@pytest.mark.parametrize("language", TRANSLATED)
def test_translations_have_the_same_values_in_them(language: Language) -> None:
    for area in words.areas(language):
        for (_, texts), message in catalogues.translated(language, area).items():
            wanted = set(PLACEHOLDER.findall(texts[-1]))
            for text in filter(None, words.texts_of(message.string)[-1:]):
                assert set(PLACEHOLDER.findall(text)) == wanted, text
            assert "ß" not in str(texts) + str(message.string)


def test_german_is_swiss() -> None:
    for each in catalogues.said():
        text = " ".join(each.key[1])
        assert "ß" not in text, each.where
        assert "„" not in text, each.where
        assert '"' not in text, each.where


def test_words_in_their_forms() -> None:
    known = {
        (None, "%(num)s Auftrag"): ("%(num)s mandat", "%(num)s mandats"),
        ("Zug", "Offen"): ("À vous",),
        (None, "Offen"): ("Ouvert",),
    }
    french, german = Words("fr", known), Words("de", {})
    counted = ("%(num)s Auftrag", "%(num)s Aufträge")
    assert [french.ngettext(*counted, number) for number in (0, 1, 2)] == [
        "%(num)s mandat",
        "%(num)s mandat",
        "%(num)s mandats",
    ]
    assert [german.ngettext(*counted, number) for number in (0, 1)] == [counted[1], counted[0]]
    assert (french.gettext("Offen"), french.pgettext("Zug", "Offen")) == ("Ouvert", "À vous")
    assert french.gettext("Unbekannt") == "Unbekannt"
    assert say("de", "Noch %(count)s", count=3) == "Noch 3"


NOON = datetime(2026, 11, 23, 11, tzinfo=UTC)  # a Monday, 12:00 in Zürich


@pytest.mark.parametrize(
    ("ahead", "said"),
    [
        (timedelta(hours=6), "bis heute 18:00"),
        (timedelta(hours=30), "bis morgen 18:00"),
        (timedelta(hours=12), "bis morgen 00:00"),
        (timedelta(days=7, hours=6), "bis Mo 30.11. 18:00"),
        (timedelta(0), "gerade überfällig geworden"),
        (timedelta(minutes=-1), "seit 1 Minute überfällig"),
        (timedelta(minutes=-59), "seit 59 Minuten überfällig"),
        (timedelta(hours=-3, minutes=-20), "seit 3 Stunden überfällig"),
        (timedelta(hours=-18), "seit gestern überfällig"),
        (timedelta(hours=-42), "seit 2 Tagen überfällig"),
    ],
)
def test_when_something_is_due(ahead: timedelta, said: str) -> None:
    assert due("de")(NOON + ahead, NOON) == said


def test_when_something_is_due_in_all_languages() -> None:
    at = NOON + timedelta(days=8, hours=6)
    assert {language: due(language)(at, NOON) for language in LANGUAGES} == {
        "de": "bis Di 01.12. 18:00",
        "fr": "jusqu’au ma 01.12. 18:00",
        "it": "entro mar 01.12. 18:00",
        "en": "by Tu 01.12. 18:00",
    }
    assert due("fr")(NOON - timedelta(hours=2), NOON) == "en retard de 2 heures"


def test_how_the_swiss_write_figures_and_days() -> None:
    assert money(Decimal("1234567.5")) == "1’234’567.50"
    assert money(Decimal("-0.05"), True) == "CHF -0.05"
    assert (share(0.9876), share(None)) == ("98.8 %", "–")
    assert (day(date(2026, 1, 4)), day(datetime(2026, 1, 3, 23, 30, tzinfo=UTC))) == (
        "04.01.2026",
        "04.01.2026",
    )
    assert (time(NOON), instant(NOON)) == ("12:00", "23.11.2026, 12:00")
    assert {language: long_day(language)(NOON) for language in LANGUAGES} == {
        "de": "Montag, 23. November 2026",
        "fr": "Lundi 23 novembre 2026",
        "it": "Lunedì 23 novembre 2026",
        "en": "Monday, 23 November 2026",
    }
    assert set(WORDS) == set(LANGUAGES)
