"""Any deadline may be "none": the order lives on as it does with it, and nothing speaks of the deadline."""

from datetime import timedelta
from functools import cache
from itertools import cycle

import pytest

from domain import rules
from domain.orders.commands import (
    Accept,
    Command,
    ConfirmExecution,
    DecideReview,
    ReportNotExecuted,
)
from domain.orders.deadline_rules import kinds
from domain.orders.events import Recorded
from domain.orders.internal import ConfirmTransmission
from domain.orders.order import Status
from domain.orders.outgoing import Mail
from domain.orders.shipment import GoodsReceived, GoodsShipped
from domain.policy import DeadlinePolicy, Policy
from domain.policy_file import load_policy
from domain.values import LANGUAGES
from mail.order_texts import OrderTexts
from mail.texts import Reader
from tests.domain.strategies import MET, Life, appointment, at, intake_of
from words.order_view import order_view

TEXTS = OrderTexts("https://cmi.example")
STEPS: tuple[tuple[str, Command], ...] = (
    ("2026-11-10 09:00", ConfirmTransmission()),
    ("2026-11-13 09:00", Accept()),
    ("2026-11-26 09:00", MET),
    ("2026-12-21 09:00", GoodsShipped(tracking="T-1")),
    ("2027-01-11 09:00", GoodsReceived()),
    ("2027-01-18 09:00", appointment("2027-01-20 09:00")),
    ("2027-01-27 09:00", ReportNotExecuted(reason="customer_absent")),
    ("2027-02-08 09:00", DecideReview(decision="new_appointment")),
    ("2027-02-15 09:00", appointment("2027-02-17 09:00")),
    ("2027-02-24 09:00", ConfirmExecution()),
)
"""A life that misses every deadline of the standard policy, but is accepted before the last escalation."""


def lived(policy: Policy, version: int) -> Life:
    """The whole life, with all that time alone brings between its steps."""
    of = intake_of(policy).model_copy(update={"rules": version})
    life = Life(of, at("2026-11-09 09:00"))
    for when, command in STEPS:
        life.let_pass(when)
        if not (isinstance(command, Accept) and policy.deadlines.accept is None):
            life.do(command)
    return life


@cache
def standard(version: int) -> Life:
    """The life under the standard policy; tests leave it as it is."""
    return lived(Policy(), version)


def without(*which: str) -> Policy:
    """The standard policy without these deadlines."""
    named = "\n".join(f'{kind} = "none"' for kind in which if kind != "transmit")
    alarm = '[transmission]\nalarm = "none"' if "transmit" in which else ""
    return load_policy(f"{alarm}\n[deadlines]\n{named}")


def about(kind: str, events: list[Recorded]) -> list[Recorded]:
    """What happened to deadlines of a kind."""
    return [entry for entry in events if getattr(entry.event, "kind", None) == kind]


def check(life: Life, which: set[str]) -> None:
    """Check that the life has come to its end, and that nothing in it speaks of these deadlines."""
    assert life.order.status is Status.COMPLETED
    assert which.isdisjoint(d.kind for d in life.order.deadlines)
    for kind in which:
        assert about(kind, life.events) == []
    for language in LANGUAGES:
        view = order_view(life.order, life.events, life.now, language, "operations")
        assert view.deadlines == ()
    mails = [effect for effect in life.outgoing if isinstance(effect, Mail)]
    for mail, one in zip(mails, cycle(LANGUAGES), strict=False):
        deadline, staff = mail.facts.deadline, mail.audience == "operations"
        assert deadline is None or deadline.kind not in which
        # Each language has its own text without a deadline. Mails with one are read in one language.
        for language in LANGUAGES if deadline is None else (one,):
            for said in TEXTS.compose(mail, Reader("" if staff else "Huber", language, staff)):
                assert "None" not in said
                assert "ndefined" not in said


POSSIBLE = {"transmit", *DeadlinePolicy.model_fields}
each_version = pytest.mark.parametrize("version", range(1, rules.CURRENT + 1))


def test_every_deadline_has_a_key() -> None:
    assert set(kinds()) <= POSSIBLE


@each_version
def test_the_life_misses_the_deadlines_of_the_standard_policy(version: int) -> None:
    missed = {d.kind for d in standard(version).order.deadlines if d.outcome == "missed"}
    assert missed >= set(kinds()) - {"transmit", "delivery", "assign"}


@each_version
@pytest.mark.parametrize("kind", sorted(POSSIBLE))
def test_an_order_lives_without_a_deadline(kind: str, version: int) -> None:
    life, usual = lived(without(kind), version), standard(version)
    check(life, {kind})
    if kind == "accept":
        return  # its step is dropped, and what follows starts earlier
    if kind == "transmit" and version >= 2:
        return  # without the alarm no notice is late, and the first deadlines start earlier
    others = [entry for entry in usual.events if entry not in about(kind, usual.events)]
    assert [(e.at, e.event) for e in life.events] == [(e.at, e.event) for e in others]
    assert [d for d in life.order.deadlines if d.kind != kind] == [
        d for d in usual.order.deadlines if d.kind != kind
    ]


@each_version
def test_an_order_lives_without_any_deadline(version: int) -> None:
    life = lived(without(*POSSIBLE), version)
    check(life, POSSIBLE)
    assert life.order.deadlines == ()


@each_version
def test_a_deadline_of_none_stops_nothing(version: int) -> None:
    life = lived(without("set_appointment", "confirm_execution"), version)
    assert life.let_pass(f"{life.now + timedelta(days=90):%Y-%m-%d %H:%M}") == []
