"""Everything that can be said is said in every language, in the words of docs/rules.md."""

import ast
import inspect
import re
from datetime import UTC, date, datetime, time, timedelta
from functools import reduce
from operator import or_
from pathlib import Path
from types import UnionType
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.actors import Actor, Role
from domain.calendar import Calendar, Skipped
from domain.cantons import pin_calendar
from domain.orders import deadline_rules, events, order, placement, recorded_mails, shipment
from domain.orders import mails as order_mails
from domain.orders.access import why_not
from domain.orders.catalogue import ALL_ITEMS
from domain.orders.codes import (
    ChecklistAnswer,
    DeclineReason,
    MovedBy,
    NotExecutedReason,
    ProblemReason,
    RejectionReason,
    UnassignReason,
)
from domain.orders.command_rules import COMMANDS
from domain.orders.commands import LogContact
from domain.orders.deadline import Basis, DeadlineKind, Outcome
from domain.orders.errors import Refused
from domain.orders.explanation import Explanation
from domain.orders.order import Order, Status
from domain.policy import CalendarPolicy, Policy, Span
from domain.settlements import mails as settlement_mails
from domain.values import LANGUAGES, Language
from words import (
    action_label,
    answer_label,
    author_text,
    ball_text,
    checklist_label,
    deadline_label,
    deadline_please,
    deadline_task,
    event_text,
    explanation_text,
    format_day,
    format_instant,
    format_period,
    format_span,
    invalid_text,
    labels,
    mail_label,
    outcome_label,
    party_label,
    reason_label,
    refusal_reason,
    refusal_text,
    refused_text,
    role_label,
    sentences,
    status_label,
)
from words.labels import deadline_start
from words.timeline import quoted


def codes_of(error: str, position: int) -> set[str]:
    """The codes with which an error is raised: each is written where it is raised."""
    found = set()
    for folder in ("domain", "use_cases", "records", "documents", "web"):
        for path in Path(folder).rglob("*.py"):
            text = path.read_text()
            if f"{error}(" not in text:
                continue  # this runs while tests are collected, and a parse takes long
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == error:
                    code = node.args[position]
                    if isinstance(code, ast.Constant):
                        found.add(code.value)
                    else:
                        assert ast.unparse(node) in PASSED_ON, ast.unparse(node)
    return found


PASSED_ON = (
    "Refused(order, refusal.action, refusal.code, may)",
    "Refused(order, action, code, actions(order))",
    "InvalidCommand(facts['field'], facts['code'])",
    "InvalidCommand('photo', about['code'])",
)
"""Errors with the code of another one, or of `why_not`, and those that a workflow or a confined process sent."""
INVALID_CODES = codes_of("InvalidCommand", 1) | set(
    re.findall(r'"code": "(\w+)"', Path("documents/picture_process.py").read_text())
)
REFUSAL_CODES = codes_of("Refused", 2) | set(
    re.findall(r'return "(\w+)"', inspect.getsource(why_not))
)
EVENT_TYPES: tuple[type[Any], ...] = get_args(get_args(events.KnownEvent)[0])
REASONS = tuple(
    reason
    for codes in (
        RejectionReason,
        NotExecutedReason,
        ProblemReason,
        DeclineReason,
        UnassignReason,
    )
    for reason in get_args(codes)
)
KINDS = deadline_rules.kinds()
ACTIONS = sorted({action for rule in COMMANDS for action in rule.actions})

in_every_language = pytest.mark.parametrize("language", LANGUAGES)


def wall(text: str) -> datetime:
    """A wall-clock time."""
    return datetime.fromisoformat(text)


def zurich_winter(instant: datetime) -> datetime:
    """The wall clock of these tests."""
    return instant.replace(tzinfo=None) + timedelta(hours=1)


# --- the tables ---------------------------------------------------------------------------------------------------


def test_every_key_of_every_enumeration_has_its_words() -> None:
    assert set(labels.STATUSES) == set(Status)
    assert set(labels.DEADLINES) == set(KINDS)
    for kind, words in labels.DEADLINES.items():
        assert bool(words.please) == (deadline_rules.owner_of(kind) == "partner"), kind
    assert set(labels.ACTIONS) == set(ACTIONS)
    assert set(labels.PARTIES) == set(get_args(order.Party))
    assert set(labels.ROLES) == set(get_args(Role))
    assert set(labels.REASONS) == set(REASONS)
    assert set(labels.ITEMS) == set(ALL_ITEMS)
    assert set(labels.ANSWERS) == set(get_args(ChecklistAnswer))
    contact = LogContact.model_fields["outcome"].annotation
    assert set(labels.OUTCOMES) == {*get_args(contact), *get_args(Outcome)}
    assert {"item_not_asked", "same_partner"} <= INVALID_CODES
    assert set(sentences.INVALID) == INVALID_CODES
    assert {"role", "final", "before_goods", "other_settlement"} <= REFUSAL_CODES
    assert set(sentences.REFUSALS) == REFUSAL_CODES
    documented = (Refused.__doc__ or "").partition("code: why not:")[2].partition(".")[0]
    assert set(sentences.REFUSALS) == set(re.findall(r"`(\w+)`", documented))


def test_every_kind_of_mail_has_one_name() -> None:
    for rules_of, kinds in (
        ((*order_mails.MAILS, *recorded_mails.RECORDED), recorded_mails.mail_kinds()),
        (settlement_mails.MAILS, settlement_mails.settlement_mail_kinds()),
    ):
        assert [rule.kind for rule in rules_of if rule.name] == list(kinds)


def test_a_sentence_that_names_a_button_names_it_rightly() -> None:
    for language in LANGUAGES:
        assert action_label("reject_requirements", language) in invalid_text("item_is_no", language)
        answers = invalid_text("item_answer", language)
        assert answer_label("yes", language) in answers
        assert answer_label("not_applicable", language) in answers


@pytest.mark.parametrize(
    ("status", "label"),
    [
        ("awaiting_payment", "Wartet auf Zahlungseingang"),
        ("in_transmission", "In Übermittlung"),
        ("new", "Auftrag akzeptieren"),
        ("unassigned", "Ohne Servicepartner"),
        ("check_requirements", "Anforderungen prüfen"),
        ("requirements_met", "Anforderungen erfüllt"),
        ("set_appointment", "Kundentermin setzen"),
        ("confirm_execution", "Ausführung bestätigen"),
        ("under_review", "In Abklärung"),
        ("on_hold", "Zurückgestellt"),
        ("completed", "Abgeschlossen, nicht verrechnet"),
        ("billed", "Verrechnet"),
        ("cancelled", "Storniert"),
    ],
)
def test_the_states_on_screen(status: str, label: str) -> None:
    """The table of docs/rules.md, "The life of an order"."""
    assert status_label(Status(status), "de") == label


# --- labels -------------------------------------------------------------------------------------------------------


def test_labels() -> None:
    assert deadline_label("contact_customer", "de") == "Kundschaft kontaktieren"
    assert deadline_task("review", "de") == "Ihren Entscheid"
    assert deadline_please("accept", "Mo 18:00", "en") == "Please accept the order by Mo 18:00."
    assert deadline_please("review", "Mo 18:00", "en") == ""
    assert action_label("cancel", "it") == "Annullare l’incarico"
    assert party_label("warehouse", "fr") == "entrepôt"
    assert ball_text("partner", "de") == "Zuständig: Servicepartner"
    assert checklist_label("wall", "en") == "Is the wall strong enough?"
    assert outcome_label("not_reached", "de") == "Nicht erreicht"
    assert outcome_label("missed", "fr") == "Non respecté"
    assert mail_label("new_order", "de") == "Neuer Auftrag"
    assert role_label("shop", "it") == "Negozio online"


def test_what_nobody_knows_is_named_as_it_is() -> None:
    assert reason_label("customer_absent", "de") == "Kundschaft nicht angetroffen"
    assert reason_label("Kundin ist umgezogen {x}", "de") == "Kundin ist umgezogen {x}"
    assert action_label("dance", "de") == "dance"
    assert mail_label("telegram", "en") == "telegram"
    assert deadline_label("telegram", "en") == deadline_task("telegram", "en") == "telegram"
    assert deadline_please("telegram", "Mo 18:00", "en") == ""
    assert invalid_text("unheard_of", "en") == "This value is not possible."


@pytest.mark.parametrize(
    ("by", "on_behalf_of", "text"),
    [
        ("partner:elektro-huber", None, "elektro-huber"),
        ("operations:Anna", None, "Anna (Servicepartner-Team)"),
        ("operations:Anna", "elektro-huber", "Anna (Servicepartner-Team) für elektro-huber"),
        ("operations", "elektro-huber", "Servicepartner-Team für elektro-huber"),
        ("shop:webshop-1", None, "webshop-1 (Shop)"),
        ("warehouse", None, "Lager"),
        ("warehouse:Lager", None, "Lager"),
        ("system", None, "System"),
        ("nobody", None, "nobody"),
    ],
)
def test_authors(by: str, on_behalf_of: str | None, text: str) -> None:
    assert author_text(by, on_behalf_of, "de") == text
    named = author_text(by, on_behalf_of, "de", {"elektro-huber": "Elektro Huber AG"})
    assert named == text.replace("elektro-huber", "Elektro Huber AG")


# --- dates --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "monday", "first"),
    [
        ("de", "Mo 4. Jan. 2027", "Fr 1. Jan. 2027"),
        ("fr", "lun. 4 janv. 2027", "ven. 1er janv. 2027"),
        ("it", "lun 4 gen 2027", "ven 1° gen 2027"),
        ("en", "Mon 4 Jan 2027", "Fri 1 Jan 2027"),
    ],
)
def test_days(language: Language, monday: str, first: str) -> None:
    assert format_day(date(2027, 1, 4), language) == monday
    assert format_day(date(2027, 1, 1), language) == first
    assert format_instant(wall("2027-01-04T18:00"), language) == f"{monday} 18:00"


def test_periods() -> None:
    start = wall("2027-01-04T08:00")
    assert format_period(start, wall("2027-01-04T10:30"), "de") == "Mo 4. Jan. 2027 08:00–10:30"
    assert (
        format_period(start, wall("2027-01-05T12:00"), "en")
        == "Mon 4 Jan 2027 08:00 – Tue 5 Jan 2027 12:00"
    )


@pytest.mark.parametrize(
    ("span", "language", "text"),
    [
        ("1 working day", "de", "1 Arbeitstag"),
        ("2 working days", "en", "2 working days"),
        ("2 working days", "fr", "2 jours ouvrables"),
        ("45 minutes", "en", "45 minutes"),
        ("60 minutes", "it", "1 ora"),
        ("1 day", "fr", "1 jour"),
        ("90 seconds", "de", "90 Sekunden"),
        ("0 minutes", "fr", "0 seconde"),
    ],
)
def test_spans(span: str, language: Language, text: str) -> None:
    assert format_span(Span.parse(span), language) == text


# --- explanations -------------------------------------------------------------------------------------------------


def lucerne(
    kind: DeadlineKind, started: str, span: str, policy: Policy | None = None
) -> Explanation:
    """A deadline in Lucerne, reckoned with the real calendar; `started` is local (winter)."""
    calendar = pin_calendar("LU", policy or Policy(), date(2026, 12, 1))
    start = (wall(started) - timedelta(hours=1)).replace(tzinfo=UTC)
    length = Span.parse(span)
    due = calendar.due(start, length)
    return Explanation(
        kind=kind,
        due=calendar.local(due),
        started=calendar.local(start),
        span=length,
        canton="LU",
        skipped=calendar.skipped(start, due) if length.working_days else (),
    )


@pytest.mark.parametrize(
    ("language", "text"),
    [
        (
            "en",
            "One working day from sending (Thu 31 Dec 2026 16:12), canton LU; "
            "skipped: New Year's Day (Fri 1 Jan), weekend",
        ),
        (
            "de",
            "Ein Arbeitstag ab Übermittlung (Do 31. Dez. 2026 16:12), "
            "Kanton LU; nicht gezählt: Neujahrstag (Fr 1. Jan.), Wochenende",
        ),
        (
            "fr",
            "Un jour ouvrable dès la transmission (jeu. 31 déc. 2026 16:12), "
            "canton LU; jours non comptés: Nouvel An (ven. 1er janv.), week-end",
        ),
        (
            "it",
            "Un giorno lavorativo dalla trasmissione (gio 31 dic 2026 16:12), "
            "Cantone LU; giorni non contati: Capodanno (ven 1° gen), fine settimana",
        ),
    ],
)
def test_the_example_of_the_design(language: Language, text: str) -> None:
    """The example of docs/rules.md, "Deadlines", to the letter."""
    explanation = lucerne("accept", "2026-12-31T16:12", "1 working day")
    assert explanation_text(explanation, language) == text


def test_weekends_are_counted_and_come_last() -> None:
    explanation = lucerne("goods", "2026-12-23T09:00", "10 working days")
    assert explanation_text(explanation, "en") == (
        "10 working days from confirmation of the requirements (Wed 23 Dec 2026 09:00), canton LU; "
        "skipped: Christmas Day (Fri 25 Dec), New Year's Day (Fri 1 Jan), two weekends"
    )


@pytest.mark.parametrize(
    ("language", "skipped"),
    [
        (
            "en",
            "skipped: New Year's Day (Fri 1 Jan), Saint Berchtold's Day (Sat 2 Jan), two Sundays",
        ),
        (
            "de",
            "nicht gezählt: Neujahrstag (Fr 1. Jan.), Berchtoldstag (Sa 2. Jan.), zwei Sonntage",
        ),
        (
            "fr",
            "jours non comptés: Nouvel An (ven. 1er janv.), Saint-Berchtold (sam. 2 janv.), deux dimanches",
        ),
        (
            "it",
            "giorni non contati: Capodanno (ven 1° gen), Giorno di Bertoldo (sab 2 gen), due domeniche",
        ),
    ],
)
def test_where_saturdays_are_working_days_sundays_are_counted(
    language: Language, skipped: str
) -> None:
    saturdays = Policy(calendar=CalendarPolicy(saturday_is_working_day=True))
    explanation = lucerne("goods", "2026-12-26T09:00", "10 working days", saturdays)
    assert explanation_text(explanation, language).endswith(skipped)
    assert explanation.due == wall("2027-01-09T18:00")


@pytest.mark.parametrize(
    ("language", "skipped"),
    [("en", "Sunday"), ("de", "Sonntag"), ("fr", "dimanche"), ("it", "domenica")],
)
def test_one_sunday_is_just_that(language: Language, skipped: str) -> None:
    saturdays = Policy(calendar=CalendarPolicy(saturday_is_working_day=True))
    explanation = lucerne("accept", "2027-01-09T09:00", "1 working day", saturdays)
    assert explanation_text(explanation, language).endswith(f": {skipped}")


def test_nothing_skipped_is_not_mentioned() -> None:
    explanation = lucerne("review", "2027-01-11T09:00", "3 working days")
    assert explanation_text(explanation, "en") == (
        "Three working days from the report (Mon 11 Jan 2027 09:00), canton LU"
    )


def test_a_plain_duration_knows_no_canton() -> None:
    explanation = lucerne("transmit", "2027-01-01T17:00", "45 minutes")
    assert explanation_text(explanation, "de") == (
        "45 Minuten ab Bestellung oder Zahlung (Fr 1. Jan. 2027 17:00)"
    )
    explanation = lucerne("accept", "2027-01-01T17:00", "1 hour")
    assert explanation_text(explanation, "it").startswith("Un’ora ")


def test_a_holiday_without_a_name_in_the_language_is_a_holiday() -> None:
    explanation = lucerne("accept", "2026-12-31T16:12", "1 working day").model_copy(
        update={
            "skipped": (Skipped(kind="holiday", day=date(2027, 1, 1), names={"de": "Neujahr"}),)
        }
    )
    assert explanation_text(explanation, "fr").endswith("jour férié (ven. 1er janv.)")


@pytest.mark.parametrize(
    ("language", "started"),
    [
        (
            "de",
            {
                "resumed": "Wiederaufnahme",
                "reassigned": "neuer Zuteilung",
                "accepted": "Übernahme",
                "noticed": "Benachrichtigung",
            },
        ),
        (
            "fr",
            {
                "resumed": "la reprise",
                "reassigned": "la réattribution",
                "accepted": "la prise en charge",
                "noticed": "l’information du partenaire",
            },
        ),
        (
            "it",
            {
                "resumed": "dalla ripresa",
                "reassigned": "dalla riassegnazione",
                "accepted": "dalla presa in carico",
                "noticed": "dall’avviso al partner",
            },
        ),
        (
            "en",
            {
                "resumed": "resumption",
                "reassigned": "reassignment",
                "accepted": "acceptance",
                "noticed": "notification",
            },
        ),
    ],
)
def test_a_deadline_says_what_it_runs_from(language: Language, started: dict[Basis, str]) -> None:
    """Not always from what its rule names: after a review, a hold, a reassignment or a late notice."""
    assert {"rule", *started} == set(get_args(Basis))
    plain = lucerne("accept", "2026-12-31T16:12", "1 working day")
    start = deadline_start("accept", language)
    for basis, words in started.items():
        said = explanation_text(plain.model_copy(update={"basis": basis}), language)
        assert said == explanation_text(plain, language).replace(f" {start} (", f" {words} (")
        assert f" {words} (" in said
    adopted = plain.model_copy(update={"basis": "noticed", "adopted": True})
    assert started["noticed"] not in explanation_text(adopted, language)


@pytest.mark.parametrize(
    ("language", "minutes", "text"),
    [
        ("de", 95, ", um 95 Minuten verlängert, weil das CMI nicht erreichbar war"),
        ("de", 120, ", um 2 Stunden verlängert, weil das CMI nicht erreichbar war"),
        ("fr", 1, ", prolongé de 1 minute parce que le CMI était inaccessible"),
        ("it", 60, ", prorogato di 1 ora perché il CMI non era raggiungibile"),
        ("en", 60 * 10, ", extended by 10 hours because CMI could not be reached"),
        ("en", 0.1, ", extended by 1 minute because CMI could not be reached"),
    ],
)
def test_a_deadline_that_an_outage_stretched_says_so(
    language: Language, minutes: float, text: str
) -> None:
    plain = lucerne("accept", "2026-12-31T16:12", "1 working day")
    stretched = plain.model_copy(update={"stretched": timedelta(minutes=minutes)})
    said = explanation_text(stretched, language)
    assert text in said
    assert said.replace(text, "") == explanation_text(plain, language)


# --- refusals -----------------------------------------------------------------------------------------------------


def test_an_appointment_before_the_goods() -> None:
    allowed = ("log_contact", "confirm_requirements")
    text = refusal_text("set_appointment", "before_goods", Status.CHECK_REQUIREMENTS, allowed, "en")
    assert text == (
        "No appointment may be agreed before the goods are on their way. "
        "Possible now: Log contact attempt, Confirm requirements."
    )


@in_every_language
def test_a_wrong_state_names_action_state_and_what_is_allowed(language: Language) -> None:
    text = refusal_text("accept", "wrong_state", Status.UNDER_REVIEW, ["reship"], language)
    assert action_label("accept", language) in text
    assert status_label(Status.UNDER_REVIEW, language) in text
    assert action_label("reship", language) in text
    assert refusal_text("accept", "new_code", Status.UNDER_REVIEW, ["reship"], language) == text


def test_where_nothing_is_allowed() -> None:
    assert refusal_text("accept", "wrong_state", Status.REQUIREMENTS_MET, (), "de") == (
        "«Auftrag akzeptieren» ist im Status «Anforderungen erfüllt» nicht möglich. "
        "Im Moment ist für Sie nichts zu tun."
    )
    assert refusal_text("cancel", "final", Status.BILLED, (), "de") == (
        "Der Auftrag hat den Status «Verrechnet» und lässt sich nicht mehr ändern."
    )


@in_every_language
def test_the_reason_alone_says_nothing_of_what_is_allowed(language: Language) -> None:
    """A mail about a signal knows neither; the code may be one of a wrong value."""
    reason = refusal_reason("accept", "wrong_state", Status.COMPLETED, language)
    told = refusal_text("accept", "wrong_state", Status.COMPLETED, ["bill"], language)
    assert told.startswith(f"{reason} ")
    assert "  " not in told
    for code in INVALID_CODES:
        assert refusal_reason("accept", code, Status.NEW, language) == invalid_text(code, language)


def test_a_refusal_at_hand_says_the_same() -> None:
    held = Order.model_construct(status=Status.NEW)
    refused = Refused(held, "bill", "wrong_state", ("accept",))
    for language in LANGUAGES:
        assert refused_text(refused, language) == refusal_text(
            "bill", "wrong_state", Status.NEW, ("accept",), language
        )


# --- the timeline -------------------------------------------------------------------------------------------------

CALENDAR = Calendar(
    canton="LU",
    timezone="Europe/Zurich",
    offsets=((datetime(2026, 1, 1, tzinfo=UTC), 3600),),
    opens=time(8),
    closes=time(18),
    first_day=date(2026, 1, 1),
    last_day=date(2026, 12, 31),
    holidays={},
)
instants = st.datetimes(wall("2024-01-01"), wall("2039-12-31"), timezones=st.just(UTC))
days = st.dates(date(2024, 1, 1), date(2039, 12, 31))
# What people write may hold braces and percent signs; no underscore, since that is how a forgotten code is found.
written = st.text("aé ßX9{}%\\»\n", min_size=1, max_size=12).map(str.strip).filter(bool)
notes = st.just("") | written
identifiers = st.text("ab-9", min_size=1, max_size=8)
assignees = st.builds(
    placement.Assignee,
    partner_id=st.just("elektro-huber"),
    name=st.just("Elektro Huber AG"),
    canton=st.just("LU"),
    language=st.sampled_from(LANGUAGES),
)
# Without that of a file of payments, whose columns are named by their codes; no command to an order has it.
codes = st.sampled_from(sorted((REFUSAL_CODES | INVALID_CODES) - {"column_missing"}))
actors = st.builds(Actor, role=st.sampled_from(get_args(Role)))
ITEM_ANSWERS: dict[str, str] = {"wall": "yes", "kit": "not_applicable"}
notices = st.builds(shipment.GoodsShipped, tracking=identifiers) | st.builds(
    shipment.GoodsReceived, received_at=st.none() | instants
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "note": notes,
    "reason": notes,
    "tracking": identifiers,
    "settlement_id": identifiers,
    "partner_id": identifiers,
    "from_partner_id": identifiers,
    "key": identifiers,
    "partner": assignees,
    "calendar": st.just(CALENDAR),
    "sender": actors,
    "code": codes,
    "action": st.sampled_from(ACTIONS),
    "mail": st.sampled_from(recorded_mails.mail_kinds()),
    "checklist": st.just(ITEM_ANSWERS),
    "notice": notices,
    "level": st.integers(1, 4),
    "executed_on": days,
    "kind": st.sampled_from(KINDS),
    "version": st.integers(2, 99),
    "policy": st.just(Policy()),
    "until": days,
    "moved_by": st.sampled_from(("", *get_args(MovedBy))),
    **dict.fromkeys(("unusual", "early", "prepaid", "damaged"), st.booleans()),
    **dict.fromkeys(
        ("start", "end", "due", "received_at", "counts_from", "held_until", "begin"), instants
    ),
}


def values_of(event_type: type[Any]) -> st.SearchStrategy[Any]:
    """Any event of a type. A field of codes takes each of them, every other field its strategy above."""
    chosen: dict[str, st.SearchStrategy[Any]] = {}
    for name, field in event_type.model_fields.items():
        options = get_args(field.annotation)
        if options and all(isinstance(option, str) for option in options):
            chosen[name] = st.sampled_from(options)
        else:
            optional = isinstance(field.annotation, UnionType) and type(None) in options
            chosen[name] = VALUES[name] | st.none() if optional else VALUES[name]
    return st.builds(event_type, **chosen)


EVENTS = {event_type: values_of(event_type) for event_type in EVENT_TYPES}
any_event = reduce(or_, EVENTS.values())
languages = st.sampled_from(LANGUAGES)
CODE = re.compile(r"[a-z]+_[a-z]|None|datetime|Status\.|<|\bobject\b|\{\w+\}")


def entry(event: Any) -> events.Recorded:
    return events.Recorded(seq=1, at=datetime(2027, 1, 4, tzinfo=UTC), by="system", event=event)


FREE_REASONS = ("cancelled", "reassigned", "appointment_moved", "execution_taken_back")
"""The events whose reason is free text."""


def assert_readable(text: str, free: str = "") -> None:
    """Words, and no trace of the program."""
    assert text.strip()
    assert not CODE.search(text.replace(free, "")), text


def without_columns(text: str) -> str:
    """A text without the columns of a file of payments, as its first line names them."""
    return text.replace("settlement_id", "").replace("paid_on", "")


@given(any_event, languages)
def test_every_event_can_be_told(event: Any, language: Language) -> None:
    recorded = entry(event)
    text = event_text(recorded, language, zurich_winter)
    free = getattr(event, "note", "") or (event.reason if event.type in FREE_REASONS else "")
    if free:
        assert quoted(free, language) in text
    assert_readable(without_columns(text), free)
    for name in ("tracking", "settlement_id"):
        assert getattr(event, name, "") in text


@in_every_language
@pytest.mark.parametrize("kind", recorded_mails.mail_kinds())
def test_an_undelivered_mail_is_named_by_its_kind(kind: str, language: Language) -> None:
    name = mail_label(kind, language)
    assert name != kind
    # Former versions recorded the kind together with the audience.
    for mail in (kind, f"{kind} to partner", f"{kind} to operations", f"{kind} to sender"):
        undelivered = events.MailUndelivered(key="k", mail=mail)
        text = event_text(entry(undelivered), language, zurich_winter)
        assert name in text
        assert_readable(text)


@settings(deadline=None)  # it draws one of every type
@given(st.data(), languages)
def test_each_event_type_can_be_told(data: st.DataObject, language: Language) -> None:
    for event_type, strategy in EVENTS.items():
        told = event_text(entry(data.draw(strategy)), language, zurich_winter)
        assert told, event_type


@given(
    st.sampled_from(KINDS),
    instants.map(zurich_winter),
    instants.map(zurich_winter),
    st.builds(Span, working_days=st.integers(1, 260))
    | st.builds(Span, duration=st.integers(0, 10**6).map(lambda n: timedelta(seconds=n))),
    st.lists(
        st.builds(
            Skipped,
            kind=st.sampled_from(("weekend", "sunday", "holiday")),
            day=days,
            names=st.just({}) | st.just(dict.fromkeys(LANGUAGES, "Feiertag")),
        ),
        max_size=4,
    ),
    languages,
)
def test_every_deadline_can_be_explained(
    kind: DeadlineKind,
    due: datetime,
    started: datetime,
    span: Span,
    skipped: list[Skipped],
    language: Language,
) -> None:
    explanation = Explanation(
        kind=kind, due=due, started=started, span=span, canton="LU", skipped=tuple(skipped)
    )
    text = explanation_text(explanation, language)
    assert_readable(text)
    assert ("LU" in text) == (span.working_days is not None)
    assert_readable(format_span(span, language))


@given(
    st.sampled_from(ACTIONS),
    st.sampled_from(sorted(REFUSAL_CODES)),
    st.sampled_from(Status),
    st.lists(st.sampled_from(ACTIONS)),
    languages,
)
def test_every_refusal_is_a_sentence(
    action: str, code: str, status: Status, allowed: list[str], language: Language
) -> None:
    text = refusal_text(action, code, status, allowed, language)
    assert_readable(text)
    assert text.endswith(".")
    assert all(action_label(possible, language) in text for possible in allowed)


@in_every_language
def test_every_invalid_value_is_a_sentence(language: Language) -> None:
    for code in INVALID_CODES:
        text = invalid_text(code, language)
        assert_readable(without_columns(text))
        assert text.endswith(".")


def test_entries() -> None:
    at = datetime(2027, 1, 4, 7, tzinfo=UTC)
    end = at + timedelta(hours=2)

    def told(event: Any, language: Language = "de") -> str:
        return event_text(entry(event), language, zurich_winter)

    assert told(events.Placed(prepaid=True)) == "Auftrag eingegangen, wartet auf die Zahlung"
    assert told(events.ContactLogged(outcome="reached", note="Bitte am {Morgen}")) == (
        "Kundschaft erreicht. «Bitte am {Morgen}»"
    )
    assert told(events.NotExecuted(reason="other", note="Lift defekt")) == (
        "Nicht ausgeführt: Anderer Grund. «Lift defekt»"
    )
    moved = events.AppointmentMoved(start=at, end=end, reason="Customer ill")
    assert told(moved, "en") == ("Appointment moved to Mon 4 Jan 2027 08:00–10:00. “Customer ill”")
    assert told(events.ShippingEnded(received_at=at, counts_from=at)) == (
        "Ware eingetroffen am Mo 4. Jan. 2027 08:00"
    )
    assert told(events.ShippingEnded(received_at=at, counts_from=end)) == (
        "Ware eingetroffen am Mo 4. Jan. 2027 08:00, die Frist zählt ab der Meldung am "
        "Mo 4. Jan. 2027 10:00"
    )
    kept = events.NoticeKept(notice=shipment.GoodsShipped(tracking="99.00.1"))
    assert told(kept) == "Meldung zum Versand der Ware vorgemerkt (Sendung 99.00.1)"
    decided = events.ReviewDecided(
        decision="accept_as_executed", note="", executed_on=date(2027, 1, 4)
    )
    assert told(decided) == (
        "Entscheid zur Abklärung: Als ausgeführt anerkennen (ausgeführt am Mo 4. Jan. 2027)"
    )
    assert told(events.DeadlineMissed(kind="accept", due=at)) == (
        "Frist «Auftrag akzeptieren» verpasst, fällig war Mo 4. Jan. 2027 08:00"
    )


def test_a_command_that_came_too_late_is_told_with_the_reason() -> None:
    sender = Actor(role="partner", partner_id="elektro-huber")

    def told(code: str) -> str:
        event = events.CommandRefused(action="accept", code=code, sender=sender)
        return event_text(entry(event), "de", zurich_winter)

    assert told("wrong_state") == (
        "Servicepartner: «Auftrag akzeptieren» war nicht mehr möglich und wurde nicht ausgeführt"
    )
    assert told("unheard_of") == told("final") == told("wrong_state")
    assert told("not_yours") == (
        "Servicepartner: «Auftrag akzeptieren» wurde nicht ausgeführt. "
        "Dieser Auftrag ist einem anderen Servicepartner zugeteilt."
    )
    assert told("item_missing").endswith("Dieser Punkt der Checkliste ist noch nicht beantwortet.")
