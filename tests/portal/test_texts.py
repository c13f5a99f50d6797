"""How the pages write days, deadlines and money, in every language."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from domain.months import Month
from domain.values import LANGUAGES
from web.portal.formats import (
    day,
    due,
    instant,
    language_name,
    language_names,
    long_day,
    money,
    month_name,
    share,
    time,
)

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
    assert due("de")(at, NOON) == "bis Di 01.12. 18:00"
    assert due("fr")(at, NOON) == "d’ici au mar. 01.12. 18:00"
    assert due("it")(at, NOON) == "entro mar 01.12. 18:00"
    assert due("en")(at, NOON) == "by Tue 01.12. 18:00"
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
    assert long_day("de")(NOON) == "Montag, 23. November 2026"
    assert long_day("fr")(NOON) == "Lundi 23 novembre 2026"
    assert long_day("it")(NOON) == "Lunedì 23 novembre 2026"
    assert long_day("en")(NOON) == "Monday, 23 November 2026"
    for month in (Month.of(NOON.date()), NOON.date()):
        assert month_name(month, "de") == "November 2026"
        assert month_name(month, "fr") == "novembre 2026"


def test_what_languages_are_called() -> None:
    assert [language for language, _ in language_names("de")] == list(LANGUAGES)
    names = [language_name(language, "de") for language in ("de", "fr", "it", "en")]
    assert names == ["Deutsch", "Französisch", "Italienisch", "Englisch"]
    assert language_name("fr", "fr") == "Français"
