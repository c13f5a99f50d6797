"""The mails about messages in every language: who wrote what about which order, how to answer, and no note."""

from datetime import UTC, datetime

import pytest

from domain.orders.messages import Message, Side
from domain.values import LANGUAGES, Language
from mail.message_texts import MessageTexts
from mail.texts import MailText, Reader
from tests.support.builders import TRANSMITTED, lived

TEXTS = MessageTexts("https://cmi.example")
AT = datetime(2026, 11, 30, 8, 12, tzinfo=UTC)


def message(number: int, side: Side, text: str) -> Message:
    """A message of a side."""
    names = {"partner": "Petra\nHuber", "operations": "Anna"}
    return Message(
        message_id=f"msg_{number}",
        sp_id="SP-1048213",
        seq=number,
        partner_id="elektro-huber",
        side=side,
        internal=False,
        login_id="usr_1",
        author=names[side],
        text=text,
        at=AT,
    )


def composed(audience: Side, language: Language, *texts: str, replies: bool = False) -> MailText:
    """The mail to a side about what the other one wrote."""
    order, _ = lived(*TRANSMITTED, sp_id="SP-1048213")
    writer: Side = "operations" if audience == "partner" else "partner"
    staff = audience == "operations"
    return TEXTS.compose(
        audience,
        Reader("" if staff else "Elektro Huber AG", language, staff=staff),
        order,
        [message(n, writer, text) for n, text in enumerate(texts, 1)],
        replies=replies,
        phone="+41 44 555 66 77" if staff else "",
        due=AT if staff else None,
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("audience", ["partner", "operations"])
@pytest.mark.parametrize("replies", [False, True])
def test_each_mail_in_each_language(audience: Side, language: Language, replies: bool) -> None:
    subject, text, html = composed(audience, language, "Eins <b>", "Zwei\nDrei", replies=replies)
    assert subject.startswith("SP-1048213: 2 ")
    for part in (
        "Eins <b>",
        "Zwei",
        "Drei",
        "8004 Zürich",
        "https://cmi.example/orders/SP-1048213#messages",
    ):
        assert part in text
    assert "Eins &lt;b&gt;" in html
    assert "Petra\nHuber" not in text
    assert ("+41 44 555 66 77" in text) == (audience == "operations")
    for wrong in ("None", "{{", "%("):
        assert wrong not in subject + text + html


def test_a_mail_says_how_to_answer() -> None:
    page_only = composed("partner", "de", "Frage").text
    assert "nicht mit einer Antwort auf diese E-Mail" in page_only
    assert "Antworten Sie einfach darauf" not in page_only
    either = composed("partner", "de", "Frage", replies=True).text
    assert "oder mit einer Antwort auf diese E-Mail" in either
    assert "Antworten Sie einfach darauf" in either
    assert composed("partner", "de", "Frage").subject == (
        "SP-1048213: Nachricht des Servicepartner-Teams"
    )
