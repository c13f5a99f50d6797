"""Mails under version 2 of the rules: who gets which, and what they know of the order."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import pytest

from domain.orders.commands import (
    AdoptRules,
    Cancel,
    DecideReview,
    Decline,
    Reassign,
    ReportProblem,
    Resume,
    SetAppointment,
    Unassign,
)
from domain.orders.internal import ConfirmTransmission
from domain.orders.outgoing import Mail
from domain.orders.shipment import GoodsReceived, GoodsShipped
from domain.policy import Policy
from tests.activities.mails import mails_of, one
from tests.support.builders import (
    AGREED,
    GOODS_THERE,
    MONDAY,
    OPERATIONS,
    REQUIREMENTS_MET,
    TRANSMITTED,
    Step,
    appointment,
    assignee,
    intake,
    partner_actor,
)

SECOND = intake(rules=2)
UNDERWAY: tuple[Step, ...] = (*REQUIREMENTS_MET, GoodsShipped(tracking="99.1"))
ROSSI = Reassign(partner=assignee("sanitaer-rossi"), calendar=SECOND.calendar, reason="Ferien")
UNTIL = (MONDAY + timedelta(days=20)).date()


def mails(*steps: Step) -> tuple[Mail, ...]:
    return mails_of(*steps, of=SECOND)


def kinds(found: Iterable[Mail]) -> list[str]:
    return [
        f"{mail.kind} to {mail.partner_id if mail.audience == 'partner' else mail.audience}"
        for mail in found
    ]


def test_the_mail_of_a_new_order_names_its_deadline_and_until_when_it_holds() -> None:
    (mail,) = mails(timedelta(minutes=30))
    assert mail.kind == "new_order"
    assert mail.facts.deadline is not None
    assert mail.facts.deadline.kind == "accept"
    assert mail.facts.deadline.due == datetime(2026, 10, 6, 18)
    assert mail.facts.notify_by == MONDAY + timedelta(minutes=45)
    assert mail.facts.choices == ("accept", "decline")


def test_an_order_that_adopts_version_2_while_it_is_sent_has_one_mail_of_a_new_order() -> None:
    adopt = AdoptRules(version=2, policy=Policy())
    sent = mails_of(timedelta(minutes=30), adopt, ConfirmTransmission(), of=intake())
    assert kinds(sent) == ["new_order to elektro-huber"]


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (GoodsReceived(), ["goods_received to elektro-huber"]),  # by the warehouse
        ((GoodsReceived(), partner_actor()), []),
        ((GoodsReceived(), OPERATIONS), ["goods_received to elektro-huber"]),
        ((GoodsReceived(damaged=True), partner_actor()), ["review_needed to operations"]),
        ((GoodsReceived(damaged=True), OPERATIONS), ["review_needed to operations"]),
    ],
)
def test_a_partner_is_told_of_a_receipt_that_it_did_not_report_and_that_is_good(
    step: Step, expected: list[str]
) -> None:
    told = kinds(mails(*UNDERWAY, step))
    assert [
        each for each in told if not each.startswith(("new_order", "goods_shipped"))
    ] == expected


def test_a_receipt_that_was_kept_is_told_although_the_partners_command_applies_it() -> None:
    early = (*REQUIREMENTS_MET[:-1], GoodsReceived(), REQUIREMENTS_MET[-1])
    assert kinds(mails(*early))[-1] == "goods_received to elektro-huber"


@pytest.mark.parametrize(
    ("step", "told"),
    [((Resume(), partner_actor()), 0), ((Resume(), OPERATIONS), 1), (timedelta(days=21), 1)],
)
def test_a_partner_is_told_of_the_end_of_a_hold_unless_it_ended_it(step: Step, told: int) -> None:
    held: tuple[Step, ...] = (
        *AGREED,
        ReportProblem(reason="customer_postpones", until=UNTIL),
        DecideReview(decision="wait_until", until=UNTIL),
    )
    found = [mail for mail in mails(*held, step) if mail.kind == "hold_ended"]
    assert len(found) == told


def test_whoever_loses_an_order_is_told_once_and_learns_nothing_of_its_customer() -> None:
    ended = mails(*GOODS_THERE, Unassign(partner_id="elektro-huber"), ROSSI)
    assert kinds(ended)[-3:] == [
        "withdrawn to elektro-huber",
        "unassigned to operations",
        "new_order to sanitaer-rossi",
    ]
    withdrawn = one("withdrawn", ended)
    assert (withdrawn.facts.customer_name, withdrawn.facts.reason) == ("", "partner_ended")
    # It has the goods, or will have them.
    assert (withdrawn.facts.goods, withdrawn.facts.deliver_to) == ("received", "partner")
    declined = mails(*TRANSMITTED, Decline(reason="no_capacity"), ROSSI)
    assert kinds(declined) == [
        "new_order to elektro-huber",
        "unassigned to operations",
        "new_order to sanitaer-rossi",
    ]


def test_an_order_that_never_was_visible_is_taken_without_a_word_to_its_partner() -> None:
    assert kinds(mails(Unassign(partner_id="elektro-huber"))) == ["unassigned to operations"]


def test_a_missed_acceptance_says_until_when_the_order_stays() -> None:
    late = mails(*TRANSMITTED, *(timedelta(hours=6) for _ in range(24)))
    warnings = [
        mail
        for mail in late
        if mail.kind == "escalation"
        and mail.facts.deadline
        and mail.facts.deadline.kind == "accept"
    ]
    assert warnings
    assert {mail.facts.kept_until for mail in warnings} == {datetime(2026, 10, 9, 18)}
    others = [m for m in late if m.facts.deadline and m.facts.deadline.kind == "contact_customer"]
    assert others
    assert {mail.facts.kept_until for mail in others} == {None}
    withdrawn = one("withdrawn", late)
    assert SECOND.calendar.local(withdrawn.at) >= datetime(2026, 10, 9, 18)


def test_operations_are_told_from_the_partners_second_move_on() -> None:
    def moved(days: int, by: str) -> SetAppointment:
        return appointment(24 * days, reason="krank").model_copy(update={"moved_by": by})

    moves = (moved(3, "partner"), moved(4, "customer"), moved(7, "partner"), moved(8, "partner"))
    told = [mail for mail in mails(*AGREED, *moves) if mail.kind == "moved_again"]
    assert [mail.facts.moves for mail in told] == [2, 3]
    assert [mail.facts.appointment_start for mail in told] == [
        datetime(2026, 10, 12, 9),
        datetime(2026, 10, 13, 9),
    ]


def test_a_review_offers_what_operations_can_decide() -> None:
    rejected = one(
        "review_needed", mails(*REQUIREMENTS_MET, ReportProblem(reason="other", note="x"))
    )
    assert "accept_as_executed" not in rejected.facts.choices
    assert {"continue", "reship", "wait_until", "reassign", "cancel"} <= set(rejected.facts.choices)


def test_goods_that_nobody_needs_name_their_parcel() -> None:
    ended = (*REQUIREMENTS_MET, Cancel(reason="x"))
    assert one("goods_unexpected", mails(*ended, GoodsShipped(tracking="T"))).facts.tracking == "T"
    assert one("goods_unexpected", mails(*ended, GoodsReceived())).facts.tracking == ""
