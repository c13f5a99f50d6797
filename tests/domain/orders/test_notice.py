"""The notice of a new order (version 2 of the rules): the order does not wait for it, nor do its deadlines suffer."""

import pytest

from domain.orders.commands import Accept, Cancel, LogContact, NoteSeen
from domain.orders.events import PartnerNotified, Transmitted
from domain.orders.explanation import explain
from domain.orders.internal import ConfirmTransmission, PassTime
from domain.orders.order import Status
from domain.orders.outgoing import Mail
from domain.orders.punctuality import verdict
from tests.domain.strategies import HUBER, MET, ROSSI, Life, at, intake, reassign, shown
from words import explanation_text

NOTIFIED = ConfirmTransmission(partner_id=HUBER.partner_id)
SEEN = NoteSeen(partner_id=HUBER.partner_id)
NO_ACCEPT = '[deadlines]\naccept = "none"'


def visible(policy_text: str = "") -> Life:
    """Placed on Friday, 6 November 2026, at 15:42; visible at 16:12, and to be notified by 16:27."""
    life = Life(intake(policy_text, rules=2), at("2026-11-06 15:42"))
    events = life.let_pass("2026-11-06 16:12")
    assert [(when, e.type) for when, e in events] == [
        ("2026-11-06 16:12", "transmission_started"),
        ("2026-11-06 16:12", "transmitted"),
    ]
    return life


def running(life: Life) -> dict[str, str | None]:
    return {d.kind: shown(d.due) for d in life.order.open_deadlines}


def why(life: Life, kind: str) -> str:
    deadline = life.deadline(kind)
    assert deadline is not None
    return explanation_text(explain(life.order, deadline), "de")


def test_the_order_is_visible_at_the_end_of_its_hold_without_a_mail() -> None:
    life = visible()
    assert life.order.status is Status.NEW
    assert running(life) == {
        "transmit": "2026-11-06 16:27",
        "accept": "2026-11-09 18:00",
        "contact_customer": "2026-11-10 18:00",
    }
    (mail,) = life.outgoing
    assert isinstance(mail, Mail)
    assert (mail.kind, mail.partner_id) == ("new_order", HUBER.partner_id)


def test_a_notice_in_time_moves_nothing() -> None:
    life = visible()
    assert life.do(NOTIFIED, "2026-11-06 16:26") == [PartnerNotified()]
    assert life.outcomes("transmit") == ["met"]
    assert running(life) == {
        "accept": "2026-11-09 18:00",
        "contact_customer": "2026-11-10 18:00",
    }
    assert "Fr" in why(life, "accept")
    assert "16:12" in why(life, "accept")
    assert life.do(NOTIFIED, "2026-11-06 16:50") == [], "twice is once"


@pytest.mark.parametrize(
    ("when", "accept", "contact"),
    [
        ("2026-11-06 16:27", "2026-11-09 18:00", "2026-11-10 18:00"),
        ("2026-11-06 23:00", "2026-11-09 18:00", "2026-11-10 18:00"),
        ("2026-11-07 10:00", "2026-11-09 18:00", "2026-11-10 18:00"),  # Saturday counts from Monday
        ("2026-11-09 08:00", "2026-11-10 18:00", "2026-11-11 18:00"),
        ("2026-11-11 09:00", "2026-11-12 18:00", "2026-11-13 18:00"),
    ],
)
@pytest.mark.parametrize("command", [NOTIFIED, SEEN])
def test_after_a_late_notice_or_first_look_the_first_deadlines_count_from_it(
    when: str, accept: str, contact: str, command: NoteSeen | ConfirmTransmission
) -> None:
    life = visible()
    life.let_pass(when)
    assert life.outcomes("transmit") in ([None], ["missed"])
    assert running(life).keys() == {"transmit"}, "no deadline of the partner runs meanwhile"
    life.do(command, when)
    assert running(life) == {"accept": accept, "contact_customer": contact}
    assert "Benachrichtigung" in why(life, "accept")
    assert life.outcomes("accept") == ["void", None]
    sent = {e.kind for e in life.outgoing if isinstance(e, Mail) and e.audience == "partner"}
    assert sent == {"new_order"}
    # Whatever comes second changes nothing.
    life.do(SEEN if command is NOTIFIED else NOTIFIED, "2026-11-11 09:01")
    if at(when) > at("2026-11-10 18:00"):
        assert running(life) == {"accept": accept, "contact_customer": contact}


def test_who_looks_at_the_order_before_the_alarm_knows_of_it() -> None:
    life = visible()
    life.do(SEEN, "2026-11-06 16:20")
    assert life.outcomes("transmit") == ["met"]
    assert life.do(SEEN, "2026-11-06 16:21") == []
    assert life.do(NoteSeen(partner_id=ROSSI.partner_id), "2026-11-06 16:22") == []
    life.do(NOTIFIED, "2026-11-09 09:00")
    assert running(life)["accept"] == "2026-11-09 18:00"
    assert "Übermittlung" in why(life, "accept")


def test_operations_are_alarmed_at_once_and_again_in_office_hours() -> None:
    life = visible()
    happened = [(when, e.type) for when, e in life.let_pass("2026-11-10 18:00")]
    assert happened == [
        ("2026-11-06 16:27", "deadline_missed"),
        ("2026-11-06 16:27", "escalation"),
        ("2026-11-09 18:00", "escalation"),
        ("2026-11-10 18:00", "escalation"),
    ]
    mails = [e for e in life.outgoing if isinstance(e, Mail) and e.audience == "operations"]
    assert {mail.kind for mail in mails} == {"transmission_failed"}


def test_nothing_is_missed_while_the_notice_is_out_even_if_nobody_was_there_to_see_it() -> None:
    """Neither a worker nor a mail server was up from Friday evening to Tuesday, after the deadlines' instants."""
    life = visible()
    life.do(PassTime(), "2026-11-10 19:00")
    assert running(life).keys() == {"transmit"}
    assert life.outcomes("accept") == ["void"]
    assert life.outcomes("contact_customer") == ["void"]
    assert {e.kind for e in life.outgoing if isinstance(e, Mail)} == {
        "new_order",
        "transmission_failed",
    }
    life.do(NOTIFIED, "2026-11-10 19:05")
    assert running(life)["accept"] == "2026-11-11 18:00"
    assert [verdict(d, life.now) for d in life.order.deadlines] == [None] * 5


def test_a_partner_that_accepts_knows_of_the_order() -> None:
    life = visible()
    life.do(Accept(), "2026-11-09 10:00")
    assert life.outcomes("transmit") == ["missed"]
    assert running(life) == {
        "check_requirements": "2026-11-10 18:00",
        "contact_customer": "2026-11-11 18:00",
    }
    life.do(NOTIFIED, "2026-11-12 10:00")
    assert life.outcomes("accept") == ["void"]


def test_without_an_accept_step_the_requirements_wait_for_the_notice() -> None:
    life = visible(NO_ACCEPT)
    assert life.order.status is Status.CHECK_REQUIREMENTS
    assert running(life) == {
        "transmit": "2026-11-06 16:27",
        "check_requirements": "2026-11-09 18:00",
        "contact_customer": "2026-11-10 18:00",
    }
    life.let_pass("2026-11-09 09:00")
    assert running(life).keys() == {"transmit"}
    life.do(NOTIFIED, "2026-11-09 09:00")
    assert running(life) == {
        "check_requirements": "2026-11-10 18:00",
        "contact_customer": "2026-11-11 18:00",
    }
    life.do(MET, "2026-11-09 10:00")
    assert life.outcomes("check_requirements") == ["void", "met"]


def test_a_confirmation_that_belongs_to_nothing_changes_nothing() -> None:
    """During the hold, before the payment, and of a mail to a former partner."""
    held = Life(intake(rules=2), at("2026-11-06 15:42"))
    assert held.do(NOTIFIED, "2026-11-06 15:50") == []
    assert held.order.status is Status.IN_TRANSMISSION
    unpaid = Life(intake(rules=2, prepaid=True), at("2026-11-06 15:42"))
    assert unpaid.do(NOTIFIED) == []
    assert unpaid.do(SEEN) == []
    life = visible()
    life.do(reassign(), "2026-11-06 16:20")
    assert life.do(NOTIFIED, "2026-11-06 16:21") == []
    assert life.do(SEEN, "2026-11-06 16:21") == []
    assert life.do(ConfirmTransmission(partner_id=ROSSI.partner_id)) == [PartnerNotified()]


def test_an_order_cancelled_before_its_notice_tells_no_alarm() -> None:
    life = visible()
    life.do(Cancel(reason="x"), "2026-11-06 16:20")
    assert life.order.open_deadlines == ()
    assert life.let_pass("2026-11-20 16:20") == []


def test_under_the_first_rules_the_order_waits_for_its_mail() -> None:
    life = Life(intake(), at("2026-11-06 15:42"))
    life.do(PassTime(), "2026-11-06 16:12")
    assert life.order.status is Status.IN_TRANSMISSION
    assert life.do(NOTIFIED, "2026-11-09 09:00")[-1] == Transmitted(partner_id=HUBER.partner_id)
    assert running(life)["accept"] == "2026-11-10 18:00"


def test_contact_goes_on_while_the_partner_works() -> None:
    """The first contact is awaited until it is logged, whatever the partner does before."""
    life = visible()
    life.do(NOTIFIED, "2026-11-06 16:13")
    life.do(Accept(), "2026-11-09 09:00")
    life.do(LogContact(outcome="not_reached"), "2026-11-09 10:00")
    assert running(life)["contact_customer"] == "2026-11-10 18:00"
    life.do(LogContact(outcome="reached"), "2026-11-10 10:00")
    assert life.outcomes("contact_customer") == ["met"]
