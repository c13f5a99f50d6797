"""Every mail in every language: it says what it must, to whom it must, and no value becomes markup."""

import re
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

import words
from domain.orders import mails as order_mails
from domain.orders.codes import UnassignReason
from domain.orders.outgoing import Mail
from domain.orders.recorded_mails import RECORDED, mail_kinds
from domain.settlements import mails as settlement_mails
from domain.values import LANGUAGES, Language
from mail.order_texts import OrderTexts
from mail.texts import Reader
from tests.activities.mails import all_mails, refusal
from tests.support.builders import partner_actor

FOLDER = Path("templates/mail")
MAILS = all_mails()
TEXTS = OrderTexts("https://cmi.example")
LINK = "https://cmi.example/orders/SP-1048213"
CUSTOMER, PLACE = "Regula Müller", "8004 Zürich"
WITHOUT_LINK = (
    "reassigned",
    "reassigned_2",
    "withdrawn_not_accepted",
    "withdrawn_partner_ended",
    "command_refused_stranger",
    *(name for name, mail in MAILS.items() if mail.audience == "customer"),
)


class Page(HTMLParser):
    """What a browser would make of it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.language: str | None = None
        self.style = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.links += [given[a] or "" for a in ("href", "src", "background") if a in given]
        self.style = tag == "style"
        if tag == "html":
            self.language = given["lang"]

    def handle_endtag(self, tag: str) -> None:
        self.style = False

    def handle_data(self, data: str) -> None:
        if not self.style:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def reader_of(name: str, mail: Mail, language: Language) -> Reader:
    staff = mail.audience == "operations" or name in (
        "command_refused_operations",
        "command_refused_shop",
    )
    return Reader(
        "" if staff else "Elektro Huber AG",
        language,
        staff,
        stranger=name == "command_refused_stranger",
        customer=mail.audience == "customer",
    )


def test_every_kind_is_among_them() -> None:
    assert {mail.kind for mail in MAILS.values()} == set(mail_kinds())
    shapes = {f"{m.kind}.{m.audience}" for m in MAILS.values()}
    assert shapes == {f"{rule.kind}.{rule.audience}" for rule in (*order_mails.MAILS, *RECORDED)}
    shapes |= {"command_refused.stranger"}
    assert shapes == {path.stem for path in FOLDER.glob("*.txt")} - {"layout"}
    shapes = {f"{rule.kind}.{rule.audience}" for rule in settlement_mails.MAILS}
    assert shapes == {path.stem for path in (FOLDER / "settlement").glob("*.txt")}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", MAILS)
def test_every_mail_in_every_language(name: str, language: Language) -> None:
    mail = MAILS[name]
    subject, text, html = TEXTS.compose(mail, reader_of(name, mail, language))
    page = Page(html)

    form = (
        r"SP-1048213: \S.*\S" if reader_of(name, mail, language).staff else r"\S.*\S · SP-1048213"
    )
    assert re.fullmatch(form, subject)
    assert mail.facts.customer_phone not in subject or not mail.facts.customer_phone
    assert CUSTOMER not in subject
    assert page.language == language
    for said in (subject, text, page.text):
        assert not re.search(r"\bNone\b|[{}]|undefined|Undefined|StrictUndefined", said)
        assert not re.search(r" [.,;:]|\.\.| ,|\( | \)|  ?\n{4}", said), said
    assert not re.search(r"\n{3,}", text)
    if language == "de":
        assert "ß" not in text
    # HTML and text say the same
    for line in filter(None, (line.strip() for line in text.splitlines())):
        if line != "--" and LINK not in line:
            value = " ".join(line.split(": ", 1)[-1].split())
            assert value in page.text, line
    if name in WITHOUT_LINK:
        assert "https://" not in text
        assert "a" not in page.tags
    else:
        assert LINK in text
        assert set(page.links) - {"tel:+41445550102"} == {LINK}
    assert not {"img", "script", "link", "iframe", "form"} & set(page.tags)
    assert "url(" not in html
    assert "@import" not in html
    if mail.facts.deadline:
        assert f"{mail.facts.deadline.due:%H:%M}" in text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", WITHOUT_LINK)
def test_who_has_nothing_to_do_with_an_order_learns_nothing_of_its_customer(
    name: str, language: Language
) -> None:
    mail = MAILS[name]
    # whatever the mail brings along: what it says is decided here, too
    known = {"customer_name": CUSTOMER, "customer_place": PLACE, "partner": "Elektro-Huber AG"}
    mail = mail.model_copy(update={"facts": mail.facts.model_copy(update=known)})
    said = TEXTS.compose(mail, reader_of(name, mail, language))
    for part in said:
        assert CUSTOMER not in part
        assert PLACE not in part
        if name == "command_refused_stranger":
            assert mail.facts.sales_order_id not in part
            assert mail.facts.service not in part
            assert "Elektro-Huber AG" not in part


def test_operations_read_who_what_since_when_and_how_often() -> None:
    name = "escalation_accept_operations_2"
    said = TEXTS.compose(MAILS[name], reader_of(name, MAILS[name], "de")).text
    assert "Elektro-Huber AG hat die Frist für die Annahme des Auftrags verpasst" in said
    assert "seit Di 6. Okt. 2026 18:00 abgelaufen (Stufe 2)" in said
    assert "Servicepartner: Elektro-Huber AG" in said


def said_of(name: str, language: Language = "de", **how: Any) -> str:
    """The text of a mail."""
    return TEXTS.compose(MAILS[name], reader_of(name, MAILS[name], language), **how).text


TO_OPERATIONS = [
    name
    for name, mail in MAILS.items()
    if mail.audience == "operations" and mail.kind != "problem_withdrawn"
]


@pytest.mark.parametrize("name", TO_OPERATIONS)
def test_operations_read_whom_to_call(name: str) -> None:
    number = "+41 44 555 00 00"
    firm = MAILS[name].facts.partner
    said = said_of(name, phone=number)
    deadline = MAILS[name].facts.deadline
    nobody = deadline is not None and deadline.kind == "assign" and MAILS[name].kind == "escalation"
    assert (number in said) == (not nobody)
    assert f"ervicepartner: {firm}\n" in said
    assert "Telefon" not in said_of(name).partition("SP-ID:")[2]


FIRST_SENTENCES = {
    "new_order_2": "Wir haben einen neuen Auftrag für Sie: Waschmaschine anschliessen. "
    "Bitte akzeptieren Sie den Auftrag bis Di 6. Okt. 2026 18:00.",
    "goods_received_2": "Die Ware zu diesem Auftrag ist bei Ihnen eingetroffen. Bitte vereinbaren "
    "Sie bis Di 6. Okt. 2026 18:00 mit der Kundschaft einen Termin und tragen Sie ihn ein.",
    "cancelled_2": "Dieser Auftrag ist storniert: Der Termin vom Mi 7. Okt. 2026 09:00–11:00 "
    "entfällt, und Sie müssen nichts mehr tun.",
    "unassigned_declined": "Elektro-Huber AG hat diesen Auftrag abgelehnt. Grund: Keine Kapazität. "
    "Bitte teilen Sie ihn bis Di 6. Okt. 2026 18:00 einem anderen Servicepartner zu, oder "
    "stornieren Sie ihn.",
    "review_needed_rejected": "Elektro-Huber AG meldet, dass die Anforderungen nicht erfüllt sind. "
    "Grund: Zu wenig Platz. Bitte entscheiden Sie bis Mi 7. Okt. 2026 18:00, wie es weitergeht.",
    "review_needed_postponed": "Elektro-Huber AG meldet ein Problem. Grund: Kundschaft verschiebt, "
    "bis So 25. Okt. 2026. Bitte entscheiden Sie bis Mi 7. Okt. 2026 18:00, wie es weitergeht.",
    "review_decided_wait_until": "Danke für Ihre Meldung. Wir haben den Auftrag bis So 25. Okt. "
    "2026 zurückgestellt: Bis dahin müssen Sie nichts tun, danach geht er von selbst weiter, und "
    "wir melden uns.",
    "hold_ended_appointment_over": "Dieser Auftrag ist nicht mehr zurückgestellt. Der Termin vom Mi "
    "7. Okt. 2026 09:00–11:00 ist unterdessen vorbei: Bitte vereinbaren Sie mit der Kundschaft "
    "einen neuen und tragen Sie ihn bis",
    "escalation_2_accept": "Die Frist für die Annahme des Auftrags ist abgelaufen: Sie lief bis Di "
    "6. Okt. 2026 18:00. Bitte akzeptieren Sie den Auftrag jetzt, oder lehnen Sie ihn ab. Bleibt "
    "er bis Fr 9. Okt. 2026 18:00 ohne Antwort, nehmen wir ihn zurück;",
    "transmission_failed_2": "Elektro-Huber AG weiss noch nichts von diesem Auftrag: Die Nachricht "
    "dazu hätte bis Mo 5. Okt. 2026 09:45 versandt sein müssen. Bitte rufen Sie den Partner an;",
    "moved_again": "Elektro-Huber AG hat den Termin bei dieser Kundschaft schon 2-mal von sich aus "
    "verschoben, jetzt auf Fr 9. Okt. 2026 09:00–11:00.",
    "withdrawn_not_accepted": "Sie haben diesen Auftrag nicht akzeptiert, deshalb haben wir ihn "
    "zurückgenommen.",
}


@pytest.mark.parametrize("name", FIRST_SENTENCES)
def test_the_first_sentences_say_what_happened_and_what_is_to_be_done_by_when(name: str) -> None:
    greeting, _, said = said_of(name).partition("\n\n")
    assert greeting.startswith("Guten Tag")
    assert said.startswith(FIRST_SENTENCES[name])


def test_a_late_notice_names_no_deadline_but_says_from_when_it_counts() -> None:
    mail = MAILS["new_order_2"]
    by = mail.facts.notify_by
    assert by is not None
    in_time, late = (
        said_of("new_order_2", now=by),
        said_of("new_order_2", now=by + timedelta(seconds=1)),
    )
    assert "Di 6. Okt. 2026 18:00" in in_time
    assert "Di 6. Okt. 2026 18:00" not in late
    assert "zählen Ihre Fristen erst ab ihrem Versand" in late


def test_operations_read_what_they_can_decide() -> None:
    assert (
        "Möglich ist: «Wie geplant weiterfahren», «Zurückstellen bis zu einem Datum», "
        "«Anderem Servicepartner zuteilen», «Auftrag stornieren»."
    ) in said_of("review_needed_rejected")
    assert "You can choose: “Continue as planned”, “Ask for new appointment”" in said_of(
        "review_needed_problem", "en"
    )


def test_a_wrong_value_is_refused_in_words_of_the_value() -> None:
    mail = refusal(partner_actor(), action="set_appointment", code="move_needs_reason")
    said = TEXTS.compose(mail, Reader("Huber", "de")).text
    assert "Kundentermin setzen" in said
    assert (
        words.refusal_reason("set_appointment", "move_needs_reason", mail.facts.status, "de")
        in said
    )


CODES = ("decision", "action", "code", "event", "goods", "deliver_to")
HOSTILE = (
    "\r\nBcc: all@evil.example\r\n\r\n<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}{% raise %}",
    "a\u202eb\u2028c\x00d\ud800e",
    "\n\nSP-1: bezahlt\n-- \nIhr Servicepartner-Team",
)


@pytest.mark.parametrize("name", MAILS)
def test_no_value_becomes_markup_a_header_or_a_template(name: str) -> None:
    mail, reader = MAILS[name], reader_of(name, MAILS[name], "fr")
    fields = [
        field
        for field, value in mail.facts
        if type(value) is str and field not in CODES and value not in get_args(UnassignReason)
    ]
    plain = Page(TEXTS.compose(mail, reader).html)
    calls = [link for link in plain.links if link.startswith("tel:")]
    for hostile in HOSTILE:
        facts = mail.facts.model_copy(update=dict.fromkeys(fields, hostile))
        bad = mail.model_copy(update={"facts": facts})
        said = TEXTS.compose(bad, reader._replace(name=reader.name and hostile))
        page = Page(said.html)
        assert said.subject.isprintable(), hostile
        assert [*calls, *page.links] == plain.links, hostile
        # a note may add a row to the table, but no tag that was not there
        for tag in set(page.tags) - {"tr", "th", "td"}:
            lost = len(calls) if tag == "a" else 0
            assert page.tags.count(tag) == plain.tags.count(tag) - lost, hostile
        assert "49" not in said.text, hostile
        said.text.encode()
        said.html.encode()
        # nobody's text stands where ours does: at the start of a line stands what we wrote
        assert "\nSP-1: bezahlt\n" not in said.text, hostile
        assert said.text.count("\n-- \n") == 1, hostile


@given(st.text(max_size=120), st.text(max_size=300))
def test_any_text_at_all(line: str, note: str) -> None:
    mail = MAILS["review_needed"]
    facts = mail.facts.model_copy(update={"service": line, "note": note, "customer_name": line})
    mail = mail.model_copy(update={"facts": facts})
    said = TEXTS.compose(mail, Reader(line, "it", staff=True))
    assert said.subject.isprintable()
    said.text.encode()
    assert Page(said.html).tags.count("a") == 2


def test_a_long_service_does_not_fill_the_subject() -> None:
    mail = MAILS["new_order"]
    facts = mail.facts.model_copy(
        update={"service": "Montage " * 25, "customer_place": "8606 Nänikon " * 20}
    )
    said = TEXTS.compose(mail.model_copy(update={"facts": facts}), Reader("Huber", "de"))
    assert len(said.subject) < 140
    assert said.subject.endswith("… · SP-1048213")


SUBJECTS = {
    "new_order_2": "8004 Zürich · Waschmaschine anschliessen · bis Di 18:00 · SP-1048213",
    "new_order_2_without_deadlines": "8004 Zürich · Waschmaschine anschliessen · SP-1048213",
    "reminder_accept_partner_0": "8004 Zürich · Erinnerung – Auftrag akzeptieren · bis Di 18:00 · "
    "SP-1048213",
    "escalation_2_accept": "8004 Zürich · Frist abgelaufen – Auftrag akzeptieren · seit Di 18:00 · "
    "SP-1048213",
    "hold_ended_appointment_stands": "8004 Zürich · Auftrag geht weiter · bis Do 5. Nov. 18:00 · "
    "SP-1048213",
    "cancelled_2": "8004 Zürich · Auftrag storniert – Waschmaschine anschliessen · SP-1048213",
    "reassigned_2": "Auftrag nicht mehr bei Ihnen – Waschmaschine anschliessen · SP-1048213",
    "command_refused_partner": "Nicht möglich – Auftrag akzeptieren · SP-1048213",
    "unassigned_declined": "SP-1048213: Ohne Servicepartner – bitte zuteilen",
}


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_partners_subject_says_where_what_and_by_when(name: str) -> None:
    said = TEXTS.compose(MAILS[name], reader_of(name, MAILS[name], "de"))
    assert said.subject == SUBJECTS[name]


@pytest.mark.parametrize(
    ("language", "when"),
    [
        ("de", "bis Di 18:00"),
        ("fr", "d’ici au mar. 18:00"),
        ("it", "entro mar 18:00"),
        ("en", "by Tue 18:00"),
    ],
)
def test_a_subject_is_in_the_readers_language(language: Language, when: str) -> None:
    said = TEXTS.compose(MAILS["new_order_2"], Reader("Huber", language))
    assert said.subject == f"8004 Zürich · Waschmaschine anschliessen · {when} · SP-1048213"


def test_a_new_order_says_all_that_one_decides_by() -> None:
    mail = MAILS["new_order_2"]
    facts = mail.facts.model_copy(update={"order_note": "Bitte klingeln.\nHund im Hof."})
    said = TEXTS.compose(mail.model_copy(update={"facts": facts}), Reader("Huber", "de"))
    for part in (
        "Frist: Auftrag akzeptieren, Di 6. Okt. 2026 18:00\n",
        "Vergütung: CHF\u00a0129.00 ohne MWST\n",
        "Telefon Kundschaft: +41 44 555 01 02\n",
        "Bemerkung zum Auftrag: Bitte klingeln.\n  Hund im Hof.\n",
        "Auftrag ansehen und akzeptieren: https://cmi.example/orders/SP-1048213\n",
    ):
        assert part in said.text
    preview = (
        "Neuer Auftrag für CHF\u00a0129.00: 1 × V-ZUG AdoraWaschen V4000. Bitte akzeptieren Sie"
    )
    assert preview.replace("\u00a0", " ") in Page(said.html).text


def test_an_inbox_shows_the_first_sentence_and_never_the_customer() -> None:
    for name, mail in MAILS.items():
        html = TEXTS.compose(mail, reader_of(name, mail, "de")).html
        hidden = html.partition('mso-hide:all;">')[2].partition("</div>")[0]
        assert hidden.strip()
        assert CUSTOMER not in hidden
        assert mail.facts.customer_phone not in hidden or not mail.facts.customer_phone


def test_a_mail_has_the_colours_of_the_pages() -> None:
    style = Path("web/portal/static/cmi.css").read_text()
    html = TEXTS.compose(MAILS["new_order_2"], Reader("Huber", "de")).html
    accents = re.findall(r"--accent: (#[0-9a-f]{6});", style)
    assert len(accents) == 2
    assert all(accent in html for accent in accents)
