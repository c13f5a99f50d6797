"""What goes out because of what happened: to whom, once, and saying no more than it must."""

from datetime import timedelta

import pytest
from pydantic import TypeAdapter

from domain.actors import Actor
from domain.orders.commands import (
    Accept,
    Bill,
    Cancel,
    Command,
    ConfirmExecution,
    DecideReview,
    LogContact,
    RejectRequirements,
    ReportNotExecuted,
)
from domain.orders.effects import is_obsolete, obsolete_mails
from domain.orders.internal import ConfirmTransmission, NoteRefusal, NoteUndelivered, PassTime
from domain.orders.order import Status
from domain.orders.outgoing import Effect, Mail, ShippingRequest
from domain.orders.shipment import GoodsReceived, GoodsShipped
from tests.domain.strategies import (
    HUBER,
    MEIER,
    MET,
    ROSSI,
    SHOP,
    Life,
    appointment,
    at,
    intake,
    partner,
    reached,
    reassign,
)


def caused(life: Life, *steps: tuple[Command, str]) -> list[str]:
    """What these commands make go out, in its order: mails as "kind to whom", requests as "ship attempt"."""
    known = len(life.outgoing)
    for command, when in steps:
        life.do(command, when)
    return [told(effect) for effect in life.outgoing[known:]]


def told(effect: Effect) -> str:
    if isinstance(effect, ShippingRequest):
        return f"ship {effect.attempt}"
    whom = effect.partner_id if effect.audience == "partner" else effect.audience
    return f"{effect.kind} to {whom}"


def last_mail(life: Life) -> Mail:
    mail = life.outgoing[-1]
    assert isinstance(mail, Mail)
    return mail


HUBERS = "elektro-huber"


@pytest.mark.parametrize(
    ("status", "command", "expected"),
    [
        (Status.IN_TRANSMISSION, ConfirmTransmission(), []),
        (Status.IN_TRANSMISSION, Cancel(reason="x"), []),
        (Status.AWAITING_PAYMENT, Cancel(reason="x"), []),
        (Status.NEW, Accept(), []),
        (Status.NEW, Cancel(reason="x"), [f"cancelled to {HUBERS}"]),
        (Status.NEW, reassign(), [f"reassigned to {HUBERS}", "new_order to rossi-sagl"]),
        (Status.NEW, GoodsShipped(tracking="T"), []),
        (Status.CHECK_REQUIREMENTS, LogContact(outcome="reached"), []),
        (Status.CHECK_REQUIREMENTS, MET, ["ship 1"]),
        (Status.CHECK_REQUIREMENTS, RejectRequirements(reason="no_space"), []),
        (Status.REQUIREMENTS_MET, GoodsShipped(tracking="T"), [f"goods_shipped to {HUBERS}"]),
        (Status.REQUIREMENTS_MET, GoodsReceived(), [f"goods_received to {HUBERS}"]),
        (Status.REQUIREMENTS_MET, Cancel(reason="x"), [f"cancelled to {HUBERS}"]),
        (Status.SET_APPOINTMENT, GoodsShipped(tracking="T-7"), []),
        (Status.SET_APPOINTMENT, appointment(), []),
        (Status.CONFIRM_EXECUTION, ConfirmExecution(), []),
        (Status.CONFIRM_EXECUTION, ReportNotExecuted(reason="wrong_goods"), ["review_needed to operations"]),
        (Status.UNDER_REVIEW, DecideReview(decision="new_appointment"), [f"review_decided to {HUBERS}"]),
        (Status.UNDER_REVIEW, DecideReview(decision="reship"), [f"review_decided to {HUBERS}", "ship 2"]),
        (Status.UNDER_REVIEW, DecideReview(decision="cancel"), [f"cancelled to {HUBERS}"]),
        (Status.UNDER_REVIEW, DecideReview(decision="accept_as_executed"), [f"review_decided to {HUBERS}"]),
        (Status.UNDER_REVIEW, Cancel(reason="x"), [f"cancelled to {HUBERS}"]),
        (Status.COMPLETED, Bill(settlement_id="s"), []),
        (Status.NEW, NoteUndelivered(key="k", mail="m"), []),
    ],
)  # fmt: skip
def test_what_a_command_makes_go_out(status: Status, command: Command, expected: list[str]) -> None:
    life = reached(status)
    known = len(life.outgoing)
    life.do(command)
    assert [told(effect) for effect in life.outgoing[known:]] == expected


def test_the_mails_of_a_whole_life() -> None:
    assert [told(effect) for effect in reached(Status.BILLED).outgoing] == [
        f"new_order to {HUBERS}",
        "ship 1",
        f"goods_shipped to {HUBERS}",
        f"goods_received to {HUBERS}",
        "review_needed to operations",
        f"review_decided to {HUBERS}",
    ]


def test_a_missed_deadline_tells_the_partner_and_the_team() -> None:
    life = reached(Status.NEW)
    assert caused(life, (PassTime(), "2026-11-03 14:00")) == [f"reminder to {HUBERS}"]
    reminder = last_mail(life)
    assert caused(life, (PassTime(), "2026-11-03 18:00")) == [
        f"escalation to {HUBERS}",
        "escalation to operations",
    ]
    for mail in (reminder, last_mail(life)):
        assert mail.facts.deadline is not None
        assert mail.facts.deadline.kind == "accept"
        assert mail.facts.deadline.due.isoformat() == "2026-11-03T18:00:00"
    assert last_mail(life).facts.level == 1
    assert last_mail(life).facts.partner == "Elektro Huber AG"
    caused(life, (PassTime(), "2026-11-04 18:00"))
    about = [m for m in life.outgoing if isinstance(m, Mail) and m.kind == "escalation"]
    assert [m.facts.level for m in about if m.facts.deadline.kind == "accept"] == [1, 1, 2, 2]


@pytest.mark.parametrize(
    ("status", "when", "expected"),
    [
        (Status.IN_TRANSMISSION, "2026-11-02 10:45", ["transmission_failed to operations"]),
        (Status.REQUIREMENTS_MET, "2026-11-18 18:00", ["escalation to operations"]),
        (Status.UNDER_REVIEW, "2026-11-16 18:00", ["escalation to operations"]),
    ],
)
def test_what_is_not_the_partners_is_not_written_to_it(
    status: Status, when: str, expected: list[str]
) -> None:
    life = reached(status)
    assert caused(life, (PassTime(), when)) == expected
    assert last_mail(life).facts.deadline is not None


def test_the_mail_about_the_goods_names_the_deadline_and_the_parcel() -> None:
    life = reached(Status.REQUIREMENTS_MET)
    life.do(GoodsShipped(tracking="T-5"), "2026-11-05 09:00")
    assert last_mail(life).facts.tracking == "T-5"
    assert last_mail(life).facts.deadline is None
    life.do(GoodsReceived(), "2026-11-06 09:00")
    deadline = last_mail(life).facts.deadline
    assert deadline is not None
    assert (deadline.kind, deadline.due.isoformat()) == ("set_appointment", "2026-11-09T18:00:00")


def test_goods_that_were_early_make_one_mail_and_the_request_all_the_same() -> None:
    life = reached(Status.CHECK_REQUIREMENTS)
    life.do(GoodsReceived(), "2026-11-03 10:00")
    life.do(GoodsShipped(tracking="T-1"), "2026-11-03 10:05")
    assert caused(life, (MET, "2026-11-03 11:00")) == ["ship 1", f"goods_received to {HUBERS}"]
    life = reached(Status.CHECK_REQUIREMENTS)
    life.do(GoodsShipped(tracking="T-1"), "2026-11-03 10:05")
    life.do(GoodsReceived(), "2026-11-03 10:10")
    assert caused(life, (MET, "2026-11-03 11:00")) == ["ship 1", f"goods_received to {HUBERS}"]


def test_goods_that_arrive_when_the_date_stands_ask_for_nothing() -> None:
    life = reached(Status.SET_APPOINTMENT, received=False)
    life.do(appointment(), "2026-11-07 09:00")
    assert caused(life, (GoodsReceived(), "2026-11-09 09:00")) == []


def test_the_mail_after_a_review_says_what_was_decided_and_until_when() -> None:
    life = reached(Status.UNDER_REVIEW)
    life.do(DecideReview(decision="new_appointment", note="call first"), "2026-11-13 09:00")
    facts = last_mail(life).facts
    assert (facts.decision, facts.note) == ("new_appointment", "call first")
    assert facts.deadline is not None
    assert facts.deadline.due.isoformat() == "2026-11-16T18:00:00"


def test_the_team_reads_why_it_was_not_executed() -> None:
    life = reached(Status.CONFIRM_EXECUTION)
    life.do(ReportNotExecuted(reason="other", note="the dog"), "2026-11-12 12:00")
    facts = last_mail(life).facts
    assert (facts.reason, facts.note, facts.partner) == ("other", "the dog", "Elektro Huber AG")
    assert facts.deadline is not None
    assert facts.deadline.kind == "review"


# --- cancelled, reassigned ---------------------------------------------------------------------------------------


def test_an_order_cancelled_before_it_was_sent_says_nothing_to_the_partner() -> None:
    life = reached(Status.IN_TRANSMISSION)
    (first,) = life.outgoing
    assert not is_obsolete(first, life.order)
    assert caused(life, (Cancel(reason="x"), "2026-11-02 10:31")) == []
    assert is_obsolete(first, life.order)


def test_cancelled_while_it_was_being_sent_the_partner_hears_of_the_end_too() -> None:
    life = reached(Status.IN_TRANSMISSION)
    steps = ((Cancel(reason="x"), "2026-11-02 10:31"), (ConfirmTransmission(), "2026-11-02 10:32"))
    assert caused(life, *steps) == [f"cancelled to {HUBERS}"]
    assert life.order.status is Status.CANCELLED
    assert caused(life, (ConfirmTransmission(), "2026-11-02 10:33")) == []


def test_a_cancellation_carries_its_reason() -> None:
    life = reached(Status.NEW)
    life.do(Cancel(reason="out of stock"), by=SHOP)
    assert last_mail(life).facts.reason == "out of stock"


def test_a_reassigned_order_goes_to_the_new_partner_and_the_old_one_reads_little() -> None:
    life = reached(Status.CHECK_REQUIREMENTS)
    life.do(reassign(ROSSI))
    old, new = life.outgoing[-2:]
    assert isinstance(old, Mail)
    assert isinstance(new, Mail)
    assert (old.kind, old.partner_id, old.language) == ("reassigned", "elektro-huber", "de")
    assert (new.kind, new.partner_id, new.language) == ("new_order", "rossi-sagl", "it")
    text = old.model_dump_json()
    for secret in (
        "Muster",
        "8800",
        "Thalwil",
        "Seeweg",
        "example.ch",
        "Rossi",
        "rossi",
        "Too many",
    ):
        assert secret not in text, secret
    assert old.sp_id == "SP-1048213"
    assert new.facts.customer_name == "Verena Muster"
    # What follows goes to the new one.
    assert caused(life, (Cancel(reason="x"), "2026-11-03 12:00")) == ["cancelled to rossi-sagl"]


def test_a_first_mail_to_a_partner_who_lost_the_order_again_is_not_sent() -> None:
    life = reached(Status.NEW)
    life.do(reassign(ROSSI), "2026-11-02 11:00")
    first = last_mail(life)
    life.do(reassign(MEIER), "2026-11-02 11:05")
    second = last_mail(life)
    assert is_obsolete(first, life.order)
    assert not is_obsolete(second, life.order)


def test_the_mails_that_lost_their_sense_are_known_by_their_keys() -> None:
    life = reached(Status.NEW)
    assert obsolete_mails(life.order, life.events) == frozenset()
    life.do(reassign(ROSSI), "2026-11-02 11:00")
    first = last_mail(life)
    life.do(reassign(MEIER), "2026-11-02 11:05")
    assert first.key in obsolete_mails(life.order, life.events)
    assert last_mail(life).key not in obsolete_mails(life.order, life.events)


def test_no_mail_but_the_first_loses_its_sense() -> None:
    life = reached(Status.BILLED)
    for effect in life.outgoing:
        assert is_obsolete(effect, life.order) == (told(effect) == f"new_order to {HUBERS}")


def test_the_warehouse_is_not_asked_to_ship_for_an_order_that_was_cancelled() -> None:
    life = reached(Status.REQUIREMENTS_MET)
    request = life.outgoing[-1]
    assert isinstance(request, ShippingRequest)
    assert not is_obsolete(request, life.order)
    life.do(Cancel(reason="x"))
    assert is_obsolete(request, life.order)


# --- what they carry ---------------------------------------------------------------------------------------------


def test_a_shipping_request_says_what_to_send_where() -> None:
    life = reached(Status.REQUIREMENTS_MET)
    request = life.outgoing[-1]
    assert isinstance(request, ShippingRequest)
    assert request == ShippingRequest(
        key="SP-1048213-1",
        sp_id="SP-1048213",
        attempt=1,
        sales_order_id="48392011",
        sku="WM-1",
        product="Waschmaschine",
        quantity=1,
        recipient="Verena Muster",
        street="Seeweg 4",
        postal_code="8800",
        city="Thalwil",
        phone="+41 79 000 00 00",
        requested_at=at("2026-11-04 09:00"),
        partner_id="elektro-huber",
    )


def test_a_reshipment_has_a_key_of_its_own_even_if_its_goods_are_under_way_already() -> None:
    life = reached(Status.UNDER_REVIEW)
    life.do(GoodsShipped(tracking="T-2"))
    life.do(DecideReview(decision="reship"), "2026-11-13 09:00")
    requests = [e for e in life.outgoing if isinstance(e, ShippingRequest)]
    assert [(r.key, r.attempt) for r in requests] == [("SP-1048213-1", 1), ("SP-1048213-2", 2)]


def test_a_command_refused_afterwards_is_told_to_its_sender() -> None:
    life = reached(Status.NEW)
    sender = Actor(role="operations", name="Anna", email="anna@example.ch")
    life.do(NoteRefusal(refused="confirm_execution", code="wrong_state", sender=sender))
    mail = last_mail(life)
    assert (mail.kind, mail.audience, mail.sender) == ("command_refused", "sender", sender)
    assert (mail.facts.action, mail.facts.code) == ("confirm_execution", "wrong_state")
    assert mail.facts.customer_name == "Verena Muster"


def test_a_stranger_to_the_order_is_told_nothing_of_it() -> None:
    life = reached(Status.NEW)
    life.do(reassign(ROSSI))
    life.do(NoteRefusal(refused="accept", code="not_yours", sender=partner(HUBER)))
    facts = last_mail(life).facts
    assert (facts.customer_name, facts.customer_place, facts.partner) == ("", "", "")


def test_mails_of_a_partner_wait_in_one_lane_and_shipping_for_nobody() -> None:
    life = reached(Status.UNDER_REVIEW)
    assert {effect.lane for effect in life.outgoing} == {
        "mail:elektro-huber",
        "mail:operations",
        "warehouse",
    }


def test_keys_are_unique_over_a_life_with_everything_in_it() -> None:
    life = Life(intake(), at("2026-11-02 10:00"))
    life.let_pass("2026-11-02 11:30")
    life.do(ConfirmTransmission())
    life.let_pass("2026-11-12 08:00")
    life.do(reassign(ROSSI))
    life.let_pass("2026-11-20 08:00")
    life.do(reassign(HUBER))
    life.let_pass("2026-12-08 08:00")
    life.do(Accept())
    life.do(MET)
    for attempt in (1, 2, 3):
        life.let_pass(f"2027-0{attempt}-08 08:00")
        life.do(GoodsShipped(tracking=f"T-{attempt}"))
        life.do(GoodsReceived())
        life.let_pass(f"2027-0{attempt}-20 08:00")
        life.do(appointment(f"2027-0{attempt}-20 09:00"))
        life.do(ReportNotExecuted(reason="transport_damage"), life.now + timedelta(hours=3))
        life.do(DecideReview(decision="reship"))
    keys = [effect.key for effect in life.outgoing]
    assert len(keys) == len(set(keys)) > 40
    assert [told(e) for e in life.outgoing if isinstance(e, ShippingRequest)] == [
        "ship 1",
        "ship 2",
        "ship 3",
        "ship 4",
    ]
    adapter: TypeAdapter[list[Effect]] = TypeAdapter(list[Effect])
    assert adapter.validate_json(adapter.dump_json(life.outgoing)) == life.outgoing
