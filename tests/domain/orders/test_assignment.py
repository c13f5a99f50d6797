"""Orders that lose their partner or change it (version 2 of the rules): declined, not accepted, ended, reassigned."""

from datetime import date

import pytest

from domain.errors import InvalidCommand
from domain.orders.commands import (
    Accept,
    AdoptRules,
    Cancel,
    Command,
    ConfirmExecution,
    DecideReview,
    Decline,
    LogContact,
    PaymentReceived,
    Reopen,
    ReportNotExecuted,
    Unassign,
)
from domain.orders.errors import Refused
from domain.orders.explanation import explain
from domain.orders.internal import ConfirmTransmission
from domain.orders.order import Status
from domain.orders.outgoing import Mail
from domain.orders.shipment import GoodsReceived, GoodsShipped
from tests.domain.strategies import (
    ANNA,
    HUBER,
    MET,
    ROSSI,
    STANDARD,
    Life,
    appointment,
    at,
    intake,
    partner,
    reached,
    reassign,
    shown,
)
from words import explanation_text

NO_ACCEPT = '[deadlines]\naccept = "none"'
ENDS = Unassign(partner_id=HUBER.partner_id)
NOTIFIED = ConfirmTransmission(partner_id=ROSSI.partner_id)
OPEN = [
    Status.AWAITING_PAYMENT,
    Status.IN_TRANSMISSION,
    Status.NEW,
    Status.CHECK_REQUIREMENTS,
    Status.REQUIREMENTS_MET,
    Status.SET_APPOINTMENT,
    Status.CONFIRM_EXECUTION,
    Status.UNDER_REVIEW,
    Status.ON_HOLD,
]


def running(life: Life) -> dict[str, str | None]:
    return {d.kind: shown(d.due) for d in life.order.open_deadlines}


def mails(life: Life, known: int = 0) -> list[str]:
    return [
        f"{e.kind} to {e.partner_id if e.audience == 'partner' else e.audience}"
        for e in life.outgoing[known:]
        if isinstance(e, Mail)
    ]


# --- without a partner -------------------------------------------------------------------------------------------


def test_a_partner_declines_a_new_order_and_loses_it() -> None:
    """Friday, 6 November, 09:00: operations have until Monday, 18:00."""
    life = Life(intake(rules=2), at("2026-11-05 10:00"))
    life.let_pass("2026-11-05 10:30")
    life.do(ConfirmTransmission(), "2026-11-05 10:31")
    known = len(life.outgoing)
    life.do(Decline(reason="outside_area", note="Beyond the Gotthard."), "2026-11-06 09:00")
    assert life.order.status is Status.UNASSIGNED
    assert running(life) == {"assign": "2026-11-09 18:00"}
    assert life.outcomes("accept") == ["void"]
    assert mails(life, known) == ["unassigned to operations"]
    mail = life.outgoing[-1]
    assert isinstance(mail, Mail)
    assert (mail.facts.reason, mail.facts.note) == ("outside_area", "Beyond the Gotthard.")
    assert mail.facts.partner == HUBER.name
    assert mail.facts.deadline is not None
    for command in (Accept(), Decline(reason="no_capacity"), LogContact(outcome="reached")):
        with pytest.raises(Refused) as refused:
            life.do(command, by=partner())
        assert (refused.value.code, refused.value.allowed) == ("not_yours", ())
        with pytest.raises(Refused) as refused:
            life.do(command, by=ANNA)
        assert refused.value.code == "wrong_state"
        assert refused.value.allowed == ("reassign", "cancel")
    life.let_pass("2026-11-09 18:00")
    assert mails(life)[-1] == "escalation to operations"
    life.do(reassign(), "2026-11-10 09:00")
    assert life.outcomes("assign") == ["missed"]


def test_another_reason_to_decline_needs_a_note() -> None:
    with pytest.raises(InvalidCommand) as invalid:
        reached(Status.NEW, rules=2).do(Decline(reason="other"))
    assert (invalid.value.field, invalid.value.code) == ("note", "other_needs_note")


def test_an_order_that_nobody_accepts_is_unassigned_with_the_last_escalation() -> None:
    """Due on Tuesday, 3 November, at 18:00; three repetitions, one each working day: the last one on Friday."""
    life = reached(Status.NEW, rules=2, policy_text='[deadlines]\ncontact_customer = "none"')
    known = len(life.outgoing)
    happened = [(when, e.type) for when, e in life.let_pass("2026-11-06 18:00")]
    assert happened == [
        ("2026-11-03 14:00", "reminder"),
        ("2026-11-03 18:00", "deadline_missed"),
        ("2026-11-03 18:00", "escalation"),
        ("2026-11-04 18:00", "escalation"),
        ("2026-11-05 18:00", "escalation"),
        ("2026-11-06 18:00", "escalation"),
        ("2026-11-06 18:00", "unassigned"),
    ]
    assert mails(life, known) == [
        f"reminder to {HUBER.partner_id}",
        *[f"escalation to {HUBER.partner_id}", "escalation to operations"] * 3,
        f"withdrawn to {HUBER.partner_id}",
        "unassigned to operations",
    ]
    withdrawn = life.outgoing[-2]
    assert isinstance(withdrawn, Mail)
    assert not withdrawn.facts.customer_name
    assert life.outcomes("accept") == ["missed"]
    assert running(life) == {"assign": "2026-11-09 18:00"}


def test_without_repetitions_it_is_unassigned_at_the_deadline() -> None:
    life = reached(Status.NEW, rules=2, policy_text="[escalation]\nrepeats = 0")
    life.let_pass("2026-11-03 18:00")
    assert life.order.status is Status.UNASSIGNED
    assert "escalation" not in {e.kind for e in life.outgoing if isinstance(e, Mail)}


def test_an_acceptance_at_the_last_moment_is_too_late() -> None:
    life = reached(Status.NEW, rules=2)
    with pytest.raises(Refused):
        life.do(Accept(), "2026-11-06 18:00")
    life.do(Accept(), "2026-11-06 17:59")
    assert life.outcomes("accept") == ["missed"]
    assert life.order.status is Status.CHECK_REQUIREMENTS


def test_an_adopted_order_whose_escalations_are_over_is_unassigned_then() -> None:
    life = reached(Status.NEW)
    life.let_pass("2026-11-16 09:00")
    assert life.order.status is Status.NEW
    life.do(AdoptRules(version=2, policy=STANDARD))
    life.let_pass("2026-11-16 09:01")
    assert life.order.status is Status.UNASSIGNED
    assert running(life) == {"assign": "2026-11-17 18:00"}


@pytest.mark.parametrize("status", OPEN)
def test_an_order_whose_partner_ends_waits_for_another_in_every_open_state(status: Status) -> None:
    life = reached(status, rules=2)
    known = len(life.outgoing)
    assert life.do(Unassign(partner_id="somebody-else")) == []
    life.do(ENDS)
    assert life.order.status is Status.UNASSIGNED
    assert {"assign"} <= running(life).keys() <= {"assign", "goods", "delivery"}
    visible = status not in (Status.AWAITING_PAYMENT, Status.IN_TRANSMISSION)
    told = [f"withdrawn to {HUBER.partner_id}"] * visible + ["unassigned to operations"]
    assert mails(life, known) == told
    assert life.do(ENDS) == [], "twice is once"
    if status is Status.AWAITING_PAYMENT:
        life.do(PaymentReceived(), life.now)
        assert life.order.status is Status.UNASSIGNED
    life.do(reassign())
    assert life.order.status is Status.NEW
    assert mails(life, known) == [*told, f"new_order to {ROSSI.partner_id}"]
    assert life.outcomes("assign") == ["met"]


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.BILLED, Status.CANCELLED])
def test_what_is_done_stays_with_its_partner(status: Status) -> None:
    life = reached(status, rules=2)
    assert life.do(ENDS) == []
    assert life.order.status is status


def test_an_unpaid_order_that_lost_its_partner_waits_for_its_payment_with_the_next() -> None:
    life = reached(Status.AWAITING_PAYMENT, rules=2)
    life.do(ENDS, "2026-11-01 13:00")
    life.do(reassign(), "2026-11-02 09:00")
    assert life.order.status is Status.AWAITING_PAYMENT
    assert life.outgoing[1:] == [], "nobody is told of an order that is not paid"
    life.do(PaymentReceived(), "2026-11-03 10:00")
    assert running(life) == {"transmit": "2026-11-03 10:45"}
    life.let_pass("2026-11-03 10:30")
    assert life.order.status is Status.NEW
    assert mails(life)[-1] == f"new_order to {ROSSI.partner_id}"


def test_it_may_go_back_to_the_partner_that_lost_it() -> None:
    """After a telephone call, say; the order has no partner then."""
    life = reached(Status.UNASSIGNED, rules=2)
    known = len(life.outgoing)
    life.do(reassign(HUBER), "2026-11-03 09:00")
    assert life.order.status is Status.NEW
    assert mails(life, known) == [f"new_order to {HUBER.partner_id}"]
    assert life.due("accept") == "2026-11-04 18:00"
    life.do(Accept(), by=partner(HUBER))
    with pytest.raises(InvalidCommand, match="same_partner"):
        life.do(reassign(HUBER))


# --- reassigned --------------------------------------------------------------------------------------------------

# Where the new partner stands once it has accepted, and what it has to do then. It is reassigned on Monday,
# 16 November, at 09:00 and accepts on Tuesday, 17 November, at 10:00.
AFTER: list[tuple[Status, bool, Status, dict[str, str]]] = [
    (Status.NEW, True, Status.CHECK_REQUIREMENTS, {"check_requirements": "2026-11-18 18:00"}),
    (Status.CHECK_REQUIREMENTS, True, Status.CHECK_REQUIREMENTS, {"check_requirements": "2026-11-18 18:00"}),
    (Status.REQUIREMENTS_MET, True, Status.REQUIREMENTS_MET, {"goods": "2026-11-18 18:00"}),
    (Status.SET_APPOINTMENT, False, Status.SET_APPOINTMENT, {}),
    (Status.SET_APPOINTMENT, True, Status.SET_APPOINTMENT, {"set_appointment": "2026-11-18 18:00"}),
    (Status.CONFIRM_EXECUTION, True, Status.SET_APPOINTMENT, {"set_appointment": "2026-11-18 18:00"}),
    (Status.UNDER_REVIEW, True, Status.SET_APPOINTMENT, {"set_appointment": "2026-11-18 18:00"}),
    (Status.ON_HOLD, True, Status.SET_APPOINTMENT, {"set_appointment": "2026-11-18 18:00"}),
]  # fmt: skip


@pytest.mark.parametrize(("status", "received", "then", "due"), AFTER)
def test_the_new_partner_accepts_and_stands_where_the_goods_are(
    status: Status, received: bool, then: Status, due: dict[str, str]
) -> None:
    quiet = '[deadlines]\ndelivery = "none"\n[escalation]\nrepeats = 9'
    life = reached(status, received=received, rules=2, policy_text=quiet)
    life.let_pass("2026-11-16 09:00")
    goods = life.order.shipments
    known = len(life.outgoing)
    life.do(reassign(), "2026-11-16 09:00")
    order = life.order
    assert (order.status, order.partner, order.appointment) == (Status.NEW, ROSSI, None)
    assert order.shipments == goods
    assert mails(life, known) == [
        f"reassigned to {HUBER.partner_id}",
        f"new_order to {ROSSI.partner_id}",
    ]
    former, new = (e for e in life.outgoing[known:] if isinstance(e, Mail))
    assert not former.facts.customer_name
    assert ROSSI.name not in former.facts.model_dump().values()
    assert new.facts.customer_name
    assert new.facts.deadline is not None
    first = {
        "transmit": "2026-11-16 09:45",
        "accept": "2026-11-17 18:00",
        "contact_customer": "2026-11-18 18:00",
    }
    assert {k: v for k, v in running(life).items() if k != "goods"} == first
    life.do(NOTIFIED, "2026-11-16 09:01")
    with pytest.raises(Refused) as refused:
        life.do(Accept(), by=partner(HUBER))
    assert refused.value.code == "not_yours"
    life.do(Accept(), "2026-11-17 10:00", by=partner(ROSSI))
    assert life.order.status is then
    assert running(life) == {"contact_customer": "2026-11-18 18:00", **due}
    if "set_appointment" in due:
        deadline = life.deadline("set_appointment")
        assert deadline is not None
        text = explanation_text(explain(life.order, deadline), "de")
        assert "Eintreffen" not in text, "the goods did not arrive on Tuesday"


@pytest.mark.parametrize(("status", "received", "then", "due"), AFTER)
def test_without_an_accept_step_it_stands_there_at_once(
    status: Status, received: bool, then: Status, due: dict[str, str]
) -> None:
    if status is Status.NEW:
        status = Status.CHECK_REQUIREMENTS
    quiet = '[deadlines]\naccept = "none"\ndelivery = "none"'
    life = reached_without_accept(status, received, quiet)
    life.let_pass("2026-11-17 10:00")
    life.do(reassign(), "2026-11-17 10:00")
    assert life.order.status is then
    life.do(NOTIFIED, "2026-11-17 10:01")
    assert running(life) == {"contact_customer": "2026-11-19 18:00", **due}


@pytest.mark.parametrize("when", ["2026-11-19 08:00", "2026-11-20 09:00"])
def test_without_an_accept_step_the_new_partners_first_deadline_waits_for_its_notice(
    when: str,
) -> None:
    """The goods have come; the mail about the order goes out two days and more after the reassignment."""
    life = reached_without_accept(Status.SET_APPOINTMENT, True, NO_ACCEPT)
    life.do(reassign(), "2026-11-17 10:00")
    assert life.order.status is Status.SET_APPOINTMENT
    assert life.due("transmit") == "2026-11-17 10:45"
    life.let_pass(when)
    assert running(life).keys() == {"transmit"}
    life.do(NOTIFIED, when)
    due = {"2026-11-19 08:00": "2026-11-20 18:00", "2026-11-20 09:00": "2026-11-23 18:00"}[when]
    assert running(life)["set_appointment"] == due
    missed = [d.kind for d in life.order.deadlines if d.partner_id == ROSSI.partner_id and d.missed]
    assert missed == ["transmit"]


def test_an_execution_is_to_be_confirmed_again_by_a_partner_whom_no_notice_ever_reached() -> None:
    """Operations accepted the execution, so the partner knew of the order."""
    life = reached_without_accept(Status.SET_APPOINTMENT, False, NO_ACCEPT)
    life.do(reassign(), "2026-11-17 10:00")
    life.let_pass("2026-11-18 09:00")
    assert life.deadline("transmit"), "no notice is out"
    life.do(GoodsReceived(damaged=True))
    life.do(DecideReview(decision="accept_as_executed"), "2026-11-19 09:00")
    life.do(Reopen(reason="x"), "2026-11-20 10:00")
    assert running(life) == {"confirm_execution": "2026-11-23 18:00"}


def reached_without_accept(status: Status, received: bool, policy_text: str) -> Life:
    """As `reached`, with a policy without the accept step."""
    life = Life(intake(policy_text, rules=2), at("2026-11-02 10:00"))
    life.let_pass("2026-11-02 10:30")
    life.do(ConfirmTransmission(), "2026-11-02 10:31")
    for when, command in _STEPS:
        goods_come = received and status is Status.SET_APPOINTMENT
        there = any(each.received_at for each in life.order.shipments)
        if life.order.status is status and (there or not goods_come):
            break
        life.do(command, when)
    assert life.order.status is status
    return life


_STEPS: tuple[tuple[str, Command], ...] = (
    ("2026-11-04 09:00", MET),
    ("2026-11-06 09:00", GoodsShipped(tracking="T-1")),
    ("2026-11-09 09:00", GoodsReceived()),
    ("2026-11-09 11:00", appointment()),
    ("2026-11-12 12:00", ReportNotExecuted(reason="customer_absent")),
    ("2026-11-13 09:00", DecideReview(decision="wait_until", until=date(2026, 11, 23))),
)


def test_while_it_awaits_payment_or_is_held_only_the_new_partner_hears_of_it() -> None:
    life = reached(Status.AWAITING_PAYMENT, rules=2)
    life.do(reassign(), "2026-11-01 13:00")
    assert life.order.status is Status.AWAITING_PAYMENT
    life.do(PaymentReceived(), "2026-11-04 10:00")
    assert running(life) == {"transmit": "2026-11-04 10:45"}, "the alarm counts from the payment"
    assert life.outcomes("transmit") == [None]
    life.let_pass("2026-11-04 10:30")
    assert life.order.status is Status.NEW
    assert mails(life) == [f"new_order to {ROSSI.partner_id}"]
    held = reached(Status.IN_TRANSMISSION, rules=2)
    held.do(reassign(), "2026-11-02 10:20")
    assert held.order.status is Status.IN_TRANSMISSION
    held.let_pass("2026-11-02 10:30")
    assert held.order.status is Status.NEW
    assert mails(held) == [f"new_order to {ROSSI.partner_id}"]
    assert held.due("accept") == "2026-11-03 18:00"


def test_a_former_alarm_is_none_of_the_new_partners() -> None:
    """The first partner was never notified; the second one's deadlines run at once, and its mail says so."""
    life = Life(intake(rules=2), at("2026-11-02 10:00"))
    life.let_pass("2026-11-03 09:00")
    assert life.order.deadlines[0].missed
    life.do(reassign(), "2026-11-03 09:00")
    assert running(life) == {
        "transmit": "2026-11-03 09:45",
        "accept": "2026-11-04 18:00",
        "contact_customer": "2026-11-05 18:00",
    }
    mail = life.outgoing[-1]
    assert isinstance(mail, Mail)
    assert mail.facts.deadline is not None
    life.do(NOTIFIED, "2026-11-03 09:01")
    assert life.due("accept") == "2026-11-04 18:00"


def test_from_one_to_another_and_back() -> None:
    life = reached(Status.CHECK_REQUIREMENTS, rules=2)
    life.do(reassign(), "2026-11-04 09:00")
    life.do(reassign(HUBER), "2026-11-05 09:00")
    assert mails(life)[-2:] == [
        f"reassigned to {ROSSI.partner_id}",
        f"new_order to {HUBER.partner_id}",
    ]
    assert life.due("accept") == "2026-11-06 18:00"
    with pytest.raises(Refused):
        life.do(Accept(), by=partner(ROSSI))
    life.do(Accept(), by=partner(HUBER))
    assert life.order.status is Status.CHECK_REQUIREMENTS


def test_a_life_goes_on_to_its_end_with_the_new_partner() -> None:
    life = reached(Status.REQUIREMENTS_MET, rules=2)
    life.do(reassign(), "2026-11-05 09:00")
    life.do(GoodsShipped(tracking="T-1"), "2026-11-05 10:00")
    assert life.order.status is Status.NEW
    life.do(Accept(), "2026-11-05 11:00")
    assert life.order.status is Status.SET_APPOINTMENT
    life.do(GoodsReceived(), "2026-11-06 09:00")
    life.do(appointment("2026-11-10 09:00"))
    assert life.outcomes("contact_customer")[-1] == "met"
    known = len(life.outgoing)
    life.do(ConfirmExecution(), "2026-11-10 12:00")
    assert life.order.status is Status.COMPLETED
    assert mails(life, known) == []
    after = [e for e in life.outgoing if isinstance(e, Mail) and e.at > at("2026-11-05 09:00")]
    assert {e.partner_id for e in after if e.audience == "partner"} == {ROSSI.partner_id}


def test_a_cancelled_unassigned_order_is_told_to_no_partner() -> None:
    life = reached(Status.UNASSIGNED, rules=2)
    known = len(life.outgoing)
    life.do(Cancel(reason="x"))
    assert mails(life, known) == []
