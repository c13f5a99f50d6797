"""A rule that changes touches the orders and settlements of its version, and no other (docs/changing-rules.md)."""

from datetime import timedelta
from itertools import pairwise

import pytest
from pydantic import Field

from domain import rules
from domain.actors import SYSTEM, Actor, Role
from domain.errors import InvalidCommand, NotUnderstood
from domain.orders import deadline_rules, deadlines
from domain.orders import mails as order_mails
from domain.orders.access import allowed
from domain.orders.command_rules import ACTIONS, COMMANDS
from domain.orders.commands import Accept, AdoptRules, Bill, ConfirmExecution, LogContact
from domain.orders.deadline import Deadline
from domain.orders.deadline_events import DeadlineMissed, ReminderDue
from domain.orders.errors import Refused
from domain.orders.events import RulesAdopted
from domain.orders.explanation import explain
from domain.orders.internal import ConfirmTransmission, PassTime
from domain.orders.lifecycle import fold, handle
from domain.orders.order import Order, Status
from domain.orders.outgoing import Mail
from domain.orders.placement import Intake
from domain.orders.shipment import GoodsReceived, GoodsShipped
from domain.policy import DeadlinePolicy, Policy, Span
from domain.policy_file import load_policy
from domain.settlements import access
from domain.settlements import mails as settlement_mails
from domain.settlements.commands import AdoptRules as AdoptSettlementRules
from domain.settlements.commands import NoteInvoice, VoidSettlement
from domain.settlements.errors import SettlementRefused
from domain.settlements.events import RulesAdopted as SettlementRulesAdopted
from domain.settlements.lifecycle import fold as fold_settlement
from domain.settlements.lifecycle import handle as handle_settlement
from domain.settlements.mails import settlement_mails as mails_of
from domain.settlements.settlement import Opening, Settlement, SettlementStatus
from tests.domain.strategies import (
    ANNA,
    MET,
    POLICIES,
    SHOP,
    STANDARD,
    WAREHOUSE,
    Life,
    appointment,
    at,
    intake,
    intake_of,
    partner,
    reached,
)
from tests.support import newer_rules
from tests.support.builders import OPERATIONS, partner_actor
from tests.support.newer_rules import DEADLINE, MAIL, NEWER, SETTLEMENT_MAIL
from tests.support.settlements import FIRST, issued, opening, settled, voided
from words import explanation_text
from words.order_view import order_view

ADOPT = AdoptRules(version=NEWER, policy=STANDARD)
ADOPT_SETTLEMENT = AdoptSettlementRules(version=NEWER, policy=Policy())
OPEN = [(1, status) for status in ACTIONS[1] if not status.is_final]
OPEN += [(2, status) for status in Status if not status.is_final]


@pytest.fixture
def newer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The changed rules."""
    newer_rules.make(monkeypatch)
    newer_rules.make_for_settlements(monkeypatch)


def placed_under(version: int) -> Life:
    """An order placed under a version of the rules."""
    begun = intake().model_copy(update={"rules": version})
    life = Life(begun, at("2026-11-02 10:00"))
    life.do(PassTime(), "2026-11-02 10:30")
    life.do(ConfirmTransmission(), "2026-11-02 10:31")
    return life


def mails(life: Life, kind: str) -> list[Mail]:
    return [e for e in life.outgoing if isinstance(e, Mail) and e.kind == kind]


def shipped(life: Life) -> Life:
    """Its goods are on their way since Friday morning."""
    life.do(Accept(), "2026-11-03 09:00")
    life.do(MET, "2026-11-04 09:00")
    life.do(GoodsShipped(tracking="T-1"), "2026-11-06 09:00")
    return life


def agreed(life: Life) -> Life:
    """An appointment stands, on the 12th of November."""
    life.do(GoodsReceived(), "2026-11-09 09:00")
    life.do(appointment("2026-11-12 09:00"), "2026-11-09 11:00")
    return life


# --- the versions and the tables ----------------------------------------------------------------------------------


def test_versions_are_numbered_without_gaps_and_follow_each_other() -> None:
    assert [version.number for version in rules.VERSIONS] == list(range(1, rules.CURRENT + 1))
    assert all(before.since <= after.since for before, after in pairwise(rules.VERSIONS))
    assert all(version.what and version.why for version in rules.VERSIONS)


def test_no_table_speaks_of_a_version_that_is_not_listed() -> None:
    known = range(1, rules.CURRENT + 1)
    for row in (*COMMANDS, *deadline_rules.RULES, *order_mails.MAILS, *settlement_mails.MAILS):
        assert row.since in known
        assert row.until is None or row.since <= row.until < rules.CURRENT
    for table in (
        ACTIONS,
        access.ACTIONS,
        access.ROLES,
    ):
        assert set(table) <= set(known)
        assert 1 in table


@pytest.mark.parametrize("version", range(1, rules.CURRENT + 1))
def test_a_version_has_each_deadline_once_and_a_row_for_each_state(version: int) -> None:
    kinds = [rule.kind for rule in rules.holding(deadline_rules.RULES, version)]
    assert len(kinds) == len(set(kinds))
    commands = list(rules.holding(COMMANDS, version))
    assert len({rule.command for rule in commands}) == len(commands)
    known = {action for rule in commands for action in rule.actions}
    for actions in rules.under(ACTIONS, version).values():
        assert set(actions) <= known
    for kind in deadlines.kinds():
        assert len({rule.owner for rule in deadline_rules.RULES if rule.kind == kind}) == 1


def test_a_table_by_version() -> None:
    table = {1: {"a": 1, "b": 1}, 3: {"b": 3, "c": 3}}
    assert rules.under(table, 1) == rules.under(table, 2) == {"a": 1, "b": 1}
    assert rules.under(table, 3) == rules.under(table, 4) == {"a": 1, "b": 3, "c": 3}


# --- what is stored -----------------------------------------------------------------------------------------------


def test_what_was_stored_before_there_were_versions_is_under_the_first() -> None:
    stored = reached(Status.NEW).order.model_dump(mode="json", exclude={"rules", "later_policy"})
    del stored["intake"]["rules"]
    assert Order.model_validate(stored).rules == 1
    assert Intake.model_validate(stored["intake"]).rules == 1
    begun = opening("SP-1").model_dump(mode="json", exclude={"rules"})
    assert Opening.model_validate(begun).rules == 1
    settlement = settled(opening("SP-1")).settlement
    old = settlement.model_dump(mode="json", exclude={"rules", "later_policy"})
    assert Settlement.model_validate(old) == settlement


@pytest.mark.parametrize("version", [0, -1, NEWER])
def test_a_process_does_not_decide_by_rules_that_it_does_not_know(version: int) -> None:
    with pytest.raises(NotUnderstood):
        placed_under(version)
    life = reached(Status.NEW)
    order = life.order.model_copy(update={"rules": version})
    with pytest.raises(NotUnderstood):
        handle(order, Accept(), partner(), life.now)
    with pytest.raises(NotUnderstood):
        settled(opening("SP-1", rules=version))
    settlement = settled(opening("SP-1")).settlement.model_copy(update={"rules": version})
    with pytest.raises(NotUnderstood):
        handle_settlement(settlement, VoidSettlement(reason="x"), OPERATIONS, FIRST)


def test_a_deadline_that_only_a_newer_release_knows_is_kept_as_it_is() -> None:
    life = reached(Status.NEW)
    strange = Deadline(
        kind="of_a_newer_release",
        partner_id=life.order.partner.partner_id,
        started=at("2026-11-02 10:31"),
        due=at("2026-11-20 18:00"),
        span=Span.parse("14 working days"),
    )
    stored = life.order.model_copy(update={"deadlines": (strange, *life.order.deadlines)})
    life.order = Order.model_validate_json(stored.model_dump_json())
    life.do(Accept(), "2026-11-03 09:00")
    assert life.deadline("of_a_newer_release") == strange
    assert life.outcomes("accept") == ["met"]
    seen = order_view(life.order, life.events, life.now, "de", "operations")
    (shown,) = (d for d in seen.deadlines if d.kind == "of_a_newer_release")
    assert shown.label == "of_a_newer_release"
    assert "14 Arbeitstage" in shown.explanation
    partners = order_view(life.order, life.events, life.now, "de", "partner")
    assert strange.kind not in {d.kind for d in partners.deadlines}, "no partner is blamed for it"


# --- adopting -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("newer")
@pytest.mark.parametrize(("version", "status"), OPEN)
def test_an_order_adopts_newer_rules_in_every_open_state(version: int, status: Status) -> None:
    life = reached(status, rules=version)
    before = life.order
    assert life.do(ADOPT, by=ANNA) == [RulesAdopted(version=NEWER)]
    assert life.order.rules == NEWER
    assert life.order.status is status
    assert life.events[-1].by == "operations:Anna"
    assert life.do(ADOPT, by=SYSTEM) == [], "twice is once"
    assert fold(before.intake, life.events) == life.order
    assert Order.model_validate_json(life.order.model_dump_json()) == life.order
    running = {d.kind: d for d in life.order.open_deadlines}
    assert running.items() >= {d.kind: d for d in before.open_deadlines}.items(), "none moved"


@pytest.mark.usefixtures("newer")
def test_what_cannot_be_adopted() -> None:
    for status in (Status.BILLED, Status.CANCELLED):
        with pytest.raises(Refused) as refused:
            reached(status).do(ADOPT, by=ANNA)
        assert refused.value.code == "final"
    life = reached(Status.NEW)
    for version in (NEWER + 1, 0):
        with pytest.raises(NotUnderstood):
            life.do(AdoptRules(version=version, policy=STANDARD), by=ANNA)
    life.do(ADOPT, by=ANNA)
    with pytest.raises(InvalidCommand, match="older_rules"):
        life.do(AdoptRules(version=NEWER - 1, policy=STANDARD), by=ANNA)


@pytest.mark.usefixtures("newer")
@pytest.mark.parametrize("role", ["partner", "shop", "warehouse", "accounting"])
def test_nobody_else_brings_an_order_to_newer_rules(role: Role) -> None:
    life = reached(Status.NEW)
    actor = partner() if role == "partner" else Actor(role=role)
    with pytest.raises(Refused) as refused:
        life.do(ADOPT, by=actor)
    assert refused.value.code == "role"
    for each in ("operations", "system", role):
        assert "adopt_rules" not in allowed(life.order, each), "it is no button"


# --- who is touched by a change -----------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", POLICIES, ids=["standard", "no accept", "seconds", "in office"])
def test_an_older_order_lives_as_before(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that happens to it and all that goes out, with time passing step by step, is the same."""

    def lived() -> tuple[Order, list[object], list[object]]:
        life = Life(intake_of(policy), at("2026-11-02 10:00"))
        steps = (
            ("2026-11-02 10:31", ConfirmTransmission()),
            ("2026-11-03 09:00", Accept() if policy.deadlines.accept else LogContact(outcome="reached")),
            ("2026-11-04 09:00", MET),
            ("2026-11-06 09:00", GoodsShipped(tracking="T-1")),
            ("2026-11-20 09:00", GoodsReceived()),
            ("2026-11-20 11:00", appointment("2026-11-25 09:00")),
            ("2026-11-20 12:00", appointment("2026-11-26 09:00", reason="moved")),
            ("2026-11-26 15:00", ConfirmExecution(executed_on=at("2026-11-25 09:00").date())),
            ("2026-12-01 09:00", Bill(settlement_id="settlement-a")),
        )  # fmt: skip
        for when, command in steps:
            life.let_pass(when)
            life.do(command)
        return life.order, list(life.events), list(life.outgoing)

    before = lived()
    newer_rules.make(monkeypatch)
    assert lived() == before
    assert before[0].status is Status.BILLED


@pytest.mark.usefixtures("newer")
def test_a_new_order_lives_by_the_newer_rules() -> None:
    life = shipped(placed_under(NEWER))
    assert life.due(DEADLINE) == "2026-11-11 18:00"
    assert [e for _, e in life.let_pass("2026-11-11 18:00") if e.kind == DEADLINE] == [
        ReminderDue(kind=DEADLINE, due=at("2026-11-11 18:00")),
        DeadlineMissed(kind=DEADLINE, due=at("2026-11-11 18:00")),
        life.events[-1].event,
    ]
    assert len(mails(life, "escalation")) == 2
    life.do(GoodsReceived(), "2026-11-12 09:00")
    life.do(appointment("2026-11-16 09:00"), "2026-11-12 11:00")
    assert life.outcomes(DEADLINE) == ["missed"]
    with pytest.raises(Refused) as refused:
        life.do(appointment("2026-11-17 09:00", reason="moved"), "2026-11-12 12:00")
    assert refused.value.allowed == (
        "confirm_execution",
        "log_contact",
        "report_problem",
        "report_not_executed",
    )
    with pytest.raises(InvalidCommand, match="before_appointment"):
        life.do(ConfirmExecution(), "2026-11-13 12:00")
    life.do(ConfirmExecution(note="done"), "2026-11-16 12:00")
    (mail,) = mails(life, MAIL)
    assert (mail.audience, mail.facts.note) == ("operations", "done")


@pytest.mark.usefixtures("newer")
def test_an_adopted_order_lives_by_the_newer_rules_from_then_on() -> None:
    life = agreed(shipped(placed_under(1)))
    assert life.outcomes(DEADLINE) == []
    life.do(appointment("2026-11-13 09:00", reason="moved"), "2026-11-09 12:00")
    life.do(ADOPT, "2026-11-09 13:00")
    assert life.outcomes(DEADLINE) == [], "its matter was over"
    with pytest.raises(Refused):
        life.do(appointment("2026-11-16 09:00", reason="moved"), "2026-11-09 14:00")
    with pytest.raises(InvalidCommand, match="before_appointment"):
        life.do(ConfirmExecution(), "2026-11-12 12:00")
    life.do(ConfirmExecution(), "2026-11-13 12:00")
    assert len(mails(life, MAIL)) == 1
    assert fold(life.intake, life.events) == life.order


@pytest.mark.usefixtures("newer")
def test_a_deadline_that_comes_with_the_rules_runs_from_their_adoption() -> None:
    """Its matter began two weeks before: nobody is late for a deadline that did not exist."""
    life = shipped(placed_under(1))
    life.do(ADOPT, "2026-11-20 16:00")
    deadline = life.deadline(DEADLINE)
    assert deadline is not None
    assert (deadline.started, deadline.adopted) == (at("2026-11-06 09:00"), at("2026-11-20 16:00"))
    assert life.due(DEADLINE) == "2026-11-25 18:00"
    why = explanation_text(explain(life.order, deadline), "en")
    assert why == (
        "Three working days from adoption of newer rules (Fri 20 Nov 2026 16:00), "
        "canton ZH; skipped: weekend"
    )
    life.do(GoodsReceived(), "2026-11-23 09:00")
    assert life.outcomes(DEADLINE) == ["met"], "and it is settled as any other"


def test_a_deadline_that_newer_rules_drop_is_void_unless_it_was_missed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dropped = tuple(
        rule._replace(until=NEWER - 1) if rule.kind in ("accept", "contact_customer") else rule
        for rule in deadline_rules.RULES
    )
    monkeypatch.setattr(rules, "CURRENT", NEWER)
    monkeypatch.setattr(deadline_rules, "RULES", dropped)
    life = placed_under(1)
    life.let_pass("2026-11-03 19:00")  # `accept` is missed, `contact_customer` is not
    life.do(ADOPT)
    assert (life.outcomes("accept"), life.outcomes("contact_customer")) == (["missed"], ["void"])
    assert life.order.open_deadlines == ()
    assert fold(life.intake, life.events) == life.order
    assert placed_under(NEWER).order.deadlines[1:] == ()


def test_a_deadline_that_changes_keeps_its_instant_where_it_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The old row ends, the new one begins; who was told a date is held to that one."""
    (old,) = (
        rule for rule in rules.holding(deadline_rules.RULES, NEWER - 1) if rule.kind == "accept"
    )
    longer = old._replace(span=lambda policy: Span.parse("3 working days"), since=NEWER)
    changed = (
        *(r._replace(until=NEWER - 1) if r is old else r for r in deadline_rules.RULES),
        longer,
    )
    monkeypatch.setattr(rules, "CURRENT", NEWER)
    monkeypatch.setattr(deadline_rules, "RULES", changed)
    assert placed_under(1).due("accept") == "2026-11-03 18:00"
    assert placed_under(NEWER).due("accept") == "2026-11-05 18:00"
    life = placed_under(1)
    life.do(ADOPT)
    deadline = life.deadline("accept")
    assert deadline is not None
    assert life.due("accept") == "2026-11-03 18:00"
    told = explanation_text(explain(life.order, deadline), "en")
    assert "One working day" in told, "and the explanation says what holds for it"


# --- what is pinned -----------------------------------------------------------------------------------------------


class LaterDeadlines(DeadlinePolicy):
    """A policy that got a key with the newer rules."""

    delivery: Span = Field(default=Span.parse("5 working days"), json_schema_extra={"since": NEWER})


class LaterPolicy(Policy):
    """The whole of it."""

    deadlines: LaterDeadlines = LaterDeadlines()


def test_the_keys_that_came_with_the_rules_are_taken_from_todays_policy_and_no_other() -> None:
    pinned = LaterPolicy(deadlines=LaterDeadlines(accept=Span.parse("2 working days")))
    today = LaterPolicy(
        deadlines=LaterDeadlines(
            accept=Span.parse("9 working days"), delivery=Span.parse("7 working days")
        )
    )
    taken = pinned.with_later_keys(today, NEWER - 1)
    assert str(taken.deadlines.delivery) == "7 working days"
    assert str(taken.deadlines.accept) == "2 working days"
    assert pinned.with_later_keys(today, NEWER) == pinned, "what it has had since then is its own"
    other = load_policy('[deadlines]\naccept = "3 working days"')
    assert Policy().with_later_keys(other, 1) == Policy()


@pytest.mark.usefixtures("newer")
def test_a_policy_with_later_keys_is_pinned_by_the_event(monkeypatch: pytest.MonkeyPatch) -> None:
    later = load_policy('[deadlines]\nset_appointment = "4 working days"')
    monkeypatch.setattr(Policy, "with_later_keys", lambda self, other, version: other)
    life = shipped(placed_under(1))
    assert life.do(AdoptRules(version=NEWER, policy=later), by=ANNA) == [
        RulesAdopted(version=NEWER, policy=later)
    ]
    assert life.order.policy == later
    assert life.order.intake.policy == STANDARD, "what it started from stays what it was"
    life.do(GoodsReceived(), "2026-11-09 09:00")
    assert life.due("set_appointment") == "2026-11-13 18:00"
    entry = order_view(life.order, life.events, life.now, "en", "operations").timeline[-2]
    assert (entry.text, entry.data) == (f"Newer rules apply (version {NEWER})", {"version": NEWER})


# --- settlements --------------------------------------------------------------------------------------------------


def settlement_kinds(of: Opening, *steps: object) -> list[str]:
    lived = settled(of, *steps)  # type: ignore[arg-type]
    before = lived.settlement.model_copy(update={"rules": of.rules})
    begun = fold_settlement(of, lived.events[:1]).model_copy(update={"rules": of.rules})
    assert fold_settlement(of, lived.events) == before.model_copy(
        update={"rules": lived.settlement.rules}
    )
    return [mail.kind for mail in mails_of(begun, lived.events[1:], "de")]


@pytest.mark.usefixtures("newer")
def test_settlements_by_their_rules() -> None:
    noted = NoteInvoice(note="by post")
    old, new = opening("SP-1"), opening("SP-1", rules=NEWER)
    for of, told in ((old, ["statement"]), (new, ["statement", SETTLEMENT_MAIL])):
        assert settlement_kinds(of, *issued(of), (noted, OPERATIONS)) == told
    assert settled(old, *voided(old)).settlement.status is SettlementStatus.VOID
    with pytest.raises(SettlementRefused) as refused:
        settled(new, *voided(new))
    assert refused.value.code == "wrong_state"
    adopted = (*issued(old), (ADOPT_SETTLEMENT, OPERATIONS))
    with pytest.raises(SettlementRefused):
        settled(old, *adopted, VoidSettlement(reason="x"))
    assert settlement_kinds(old, *adopted, (noted, OPERATIONS)) == ["statement", SETTLEMENT_MAIL]


@pytest.mark.usefixtures("newer")
def test_a_settlement_adopts_newer_rules_once_and_while_it_is_open() -> None:
    of = opening("SP-1")
    for steps in ((), issued(of)[:1], issued(of)):
        lived = settled(of, *steps, (ADOPT_SETTLEMENT, SYSTEM), (ADOPT_SETTLEMENT, OPERATIONS))
        assert [e.event for e in lived.events].count(SettlementRulesAdopted(version=NEWER)) == 1
        assert lived.settlement.rules == NEWER
    for steps in (voided(of), (*issued(of), (NoteInvoice(), OPERATIONS))):
        with pytest.raises(SettlementRefused) as refused:
            settled(of, *steps, (ADOPT_SETTLEMENT, OPERATIONS))
        assert refused.value.code == "wrong_state"
    for actor in (partner_actor(), SHOP, WAREHOUSE):
        with pytest.raises(SettlementRefused) as refused:
            settled(of, (ADOPT_SETTLEMENT, actor))
        assert refused.value.code == "role"
    adopted = (ADOPT_SETTLEMENT, OPERATIONS)
    older, unknown = (
        AdoptSettlementRules(version=version, policy=Policy()) for version in (NEWER - 1, NEWER + 1)
    )
    with pytest.raises(SettlementRefused) as refused:
        settled(of, adopted, (older, OPERATIONS))
    assert refused.value.code == "older_rules"
    with pytest.raises(NotUnderstood):
        settled(of, adopted, (unknown, OPERATIONS))
    later = timedelta(days=1)
    assert settled(of, later, (ADOPT_SETTLEMENT, SYSTEM)).settlement.status is SettlementStatus.OPEN
