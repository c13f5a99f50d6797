"""The reminder that operations ask for, in every language: which orders, what to do, by when."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

import words
from domain.values import LANGUAGES, Language
from mail.reminder_texts import ReminderTexts, WaitingOrder
from mail.texts import Reader
from tests.support.builders import placement

TEXTS = ReminderTexts("https://cmi.example")
DUE = datetime(2026, 11, 3, 18, 0, tzinfo=ZoneInfo("Europe/Zurich"))


def waiting(sp_id: str, is_late: bool = False) -> WaitingOrder:
    """An order to be accepted."""
    return WaitingOrder(placement(sp_id=sp_id), "accept", DUE, is_late)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_it_says(language: Language) -> None:
    reader = Reader("Elektro <b>Huber</b> AG", language)
    mail = TEXTS.compose_reminder(reader, [waiting("SP-1", is_late=True), waiting("SP-2")])
    for shown in (mail.text, mail.html):
        for text in ("SP-1", "SP-2", words.deadline_label("accept", language)):
            assert text in shown
        assert words.format_instant(DUE, language) in shown
        for personal in placement().customer.name.split():
            assert personal not in shown
    assert "<b>Huber" not in mail.html
    assert mail.text.index("SP-1") < mail.text.index("SP-2")
    assert mail.subject.count("2") == 1
    assert "https://cmi.example/\n" in mail.text
    one = TEXTS.compose_reminder(reader, [waiting("SP-1")])
    assert one.subject.startswith("SP-1: ")
    assert "https://cmi.example/orders/SP-1" in one.text


def test_each_language_has_its_own_words() -> None:
    for orders in ([waiting("SP-1")], [waiting("SP-1"), waiting("SP-2")]):
        mails = [TEXTS.compose_reminder(Reader("x", each), orders) for each in LANGUAGES]
        assert len({mail.subject for mail in mails}) == len(LANGUAGES)
        assert len({mail.text for mail in mails}) == len(LANGUAGES)
