"""The life of a settlement: who may do what when, what time does, and that no order is billed twice or lost."""

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from domain.actors import SYSTEM, Actor
from domain.cantons import pin_calendar
from domain.months import Month
from domain.policy import Policy
from domain.policy_file import load_policy
from domain.settlements.access import ACTIONS, ROLES, action_of, allowed
from domain.settlements.account import account_of
from domain.settlements.commands import (
    Close,
    Command,
    NoteInvoice,
    NoteReleased,
    PassTime,
    Select,
    TakeVerdict,
    VoidSettlement,
)
from domain.settlements.deadlines import next_instant
from domain.settlements.errors import SettlementRefused
from domain.settlements.invoicing import Verdict
from domain.settlements.lifecycle import begin, fold, handle, open_settlement
from domain.settlements.lines import CorrectionLine, Line
from domain.settlements.mails import is_obsolete, obsolete_settlement_mails, settlement_mails
from domain.settlements.settlement import Settlement, SettlementStatus
from tests.domain.orders.test_lifecycle import at
from tests.support.builders import OPERATIONS, partner_actor
from tests.support.settlements import FIRST, claims, issued, opening, settled, statement, voided

ACCOUNTING = Actor(role="accounting", name="Beat")
PARTNER = partner_actor()
VOID = VoidSettlement(reason="Falscher Monat")
RIGHT = TakeVerdict(paper_id="invoice-1", verdict=Verdict(accepted=True))
WRONG = TakeVerdict(paper_id="invoice-2", verdict=Verdict(accepted=False, missing=("SP-1",)))
COMMANDS: dict[str, tuple[Command, Actor]] = {
    "select": (Select(sp_ids=("SP-2",)), PARTNER),
    "close": (Close(), PARTNER),
    "invoice": (RIGHT, PARTNER),
    "note_invoice": (NoteInvoice(), ACCOUNTING),
    "void": (VOID, OPERATIONS),
}
TABLE: dict[str, dict[str, str]] = {
    "open": {"select": "open", "close": "closing", "void": "void"},
    "closing": {},
    "issued": {"invoice": "invoiced", "note_invoice": "invoiced", "void": "void"},
    "invoiced": {},
    "void": {},
}


def in_state(status: str) -> tuple[Settlement, datetime]:
    """A settlement in a state, and a moment later."""
    of = opening("SP-1", "SP-2")
    steps = {
        "open": (),
        "closing": (Close(),),
        "issued": issued(of),
        "invoiced": (*issued(of), (RIGHT, PARTNER)),
        "void": voided(of),
    }[status]
    settlement = settled(of, *steps).settlement
    assert settlement.status == status
    return settlement, FIRST + timedelta(hours=1)


@pytest.mark.parametrize("status", TABLE)
@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_in_each_state(status: str, name: str) -> None:
    settlement, now = in_state(status)
    command, actor = COMMANDS[name]
    assert action_of(command) == name
    if name in TABLE[status]:
        assert name in allowed(settlement, actor.role)
        assert handle(settlement, command, actor, now)[0].status == TABLE[status][name]
        return
    assert name not in allowed(settlement, actor.role)
    with pytest.raises(SettlementRefused) as refused:
        handle(settlement, command, actor, now)
    assert (refused.value.action, refused.value.code) == (name, "wrong_state")
    assert refused.value.status == status


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("role", ["partner", "operations", "accounting", "shop", "warehouse"])
def test_each_command_by_each_role(name: str, role: str) -> None:
    settlement, now = in_state(next(s for s in TABLE if name in TABLE[s]))
    actor = PARTNER if role == "partner" else Actor.model_validate({"role": role})
    if role in ROLES[1][name]:
        handle(settlement, COMMANDS[name][0], actor, now)
        return
    with pytest.raises(SettlementRefused) as refused:
        handle(settlement, COMMANDS[name][0], actor, now)
    assert refused.value.code == "role"
    stranger = partner_actor("sanitaer-meier")
    if "partner" in ROLES[1][name]:
        with pytest.raises(SettlementRefused) as refused:
            handle(settlement, COMMANDS[name][0], stranger, now)
        assert refused.value.code == "not_yours"


@pytest.mark.parametrize("status", TABLE)
def test_an_answer_that_nobody_waits_for_is_refused(status: str) -> None:
    settlement, now = in_state(status)
    awaited = {"closing": [claims()]}.get(status, [])
    for command in (claims(), statement(settlement.settlement_id), NoteReleased()):
        if command in awaited:
            continue
        with pytest.raises(SettlementRefused):
            handle(settlement, command, SYSTEM, now)
    assert set(ACTIONS[1][SettlementStatus(status)]) == set(TABLE[status])


def test_a_selection_has_each_order_once() -> None:
    with pytest.raises(ValidationError):
        Select(sp_ids=("SP-1", "SP-1"))


def test_operations_act_in_the_partners_place_and_void_in_their_own() -> None:
    of = opening("SP-1")
    held = settled(of, (Close(), OPERATIONS), *issued(opening("SP-1", automatic=False)), VOID)
    authors = {e.event.type: e.author for e in held.events}
    assert authors["selection_closed"] == "operations:Anna for partner:elektro-huber"
    assert authors["voided"] == "operations:Anna"
    assert authors["opened"] == authors["orders_claimed"] == "system"


def test_what_claimed_nothing_has_nothing_to_set_free() -> None:
    opened, now = in_state("open")
    assert handle(opened, VOID, OPERATIONS, now)[0].is_over
    sent, now = in_state("issued")
    taken_back, _ = handle(sent, VOID, OPERATIONS, now)
    assert not taken_back.is_over
    free, events = handle(taken_back, NoteReleased(), SYSTEM, now)
    assert free.is_over
    assert events[0].event.orders == 2


def test_nothing_to_bill_is_void_but_corrections_alone_are_billed() -> None:
    of = opening("SP-1")
    empty = settled(of, Close(), claims(("SP-1", "cancelled"))).settlement
    assert (empty.status, empty.voided, empty.is_over) == ("void", False, True)
    line = {"sp_id": "SP-0", "reason": "Anfahrt", "amount": "20.00"}
    corrected = settled(
        of, Close(), claims(("SP-1", "cancelled"), corrections=[CorrectionLine(**line)])
    ).settlement
    assert corrected.status == "closing"


# --- time --------------------------------------------------------------------------------------------------------


def month_end(month: Month, at_: datetime, policy: Policy | None = None) -> Settlement:
    """A settlement that was opened by the month's end."""
    policy = policy or Policy()
    calendar = pin_calendar("ZH", policy, at_.date())
    of = opening("SP-1", month=month, calendar=calendar, policy=policy)
    return open_settlement(of, SYSTEM, at_)[0]


@pytest.mark.parametrize(
    ("month", "opened", "told", "until"),
    [
        # A leap year: the 29th of February belongs to the month, the first of March is a Wednesday.
        ("2028-02", "2028-03-01 06:00", "2028-03-01 08:00", "2028-03-06 18:00"),
        # The month's end on a Sunday; All Saints' is none in Zurich.
        ("2026-10", "2026-11-01 06:00", "2026-11-02 08:00", "2026-11-04 18:00"),
        # New Year's Day, and Berchtold's Day on a Saturday.
        ("2026-12", "2027-01-01 06:00", "2027-01-04 08:00", "2027-01-06 18:00"),
        # Over the change to summer time on the 28th of March 2027, Good Friday and Easter Monday.
        ("2027-02", "2027-03-25 06:00", "2027-03-25 08:00", "2027-04-01 18:00"),
    ],
)
def test_three_working_days_to_unpick(month: str, opened: str, told: str, until: str) -> None:
    settlement = month_end(Month.parse(month), at(opened))
    assert settlement.selectable_until == at(until)
    assert next_instant(settlement) == at(told)
    settlement, (announced,) = handle(settlement, PassTime(), SYSTEM, at(told))
    assert (announced.event.type, next_instant(settlement)) == ("announced", at(until))
    just_before = at(until) - timedelta(microseconds=1)
    handle(settlement, Select(sp_ids=()), PARTNER, just_before)
    with pytest.raises(SettlementRefused) as refused:
        handle(settlement, Select(sp_ids=()), PARTNER, at(until))
    assert (refused.value.code, refused.value.status) == ("too_late", "closing")


def test_who_is_told_late_has_three_working_days_nevertheless() -> None:
    settlement = month_end(Month(2026, 10), at("2026-11-02 06:00"))
    settlement, events = handle(settlement, PassTime(), SYSTEM, at("2026-11-09 10:00"))
    assert [e.event.type for e in events] == ["announced"]
    assert (settlement.status, settlement.selectable_until) == ("open", at("2026-11-12 18:00"))


def test_the_invoice_is_awaited_for_ten_working_days_and_reminded_of() -> None:
    of = opening("SP-1", calendar=pin_calendar("ZH", Policy(), date(2026, 12, 21)))
    settlement = settled(of, *issued(of), at=at("2026-12-21 09:00")).settlement
    assert settlement.invoice_due == at("2027-01-06 18:00"), "two holidays and three weekends later"
    levels = []
    while (due := next_instant(settlement)) is not None:
        assert handle(settlement, PassTime(), SYSTEM, due - timedelta(microseconds=1))[1] == ()
        settlement, (reminded,) = handle(settlement, PassTime(), SYSTEM, due)
        levels.append((reminded.event.level, reminded.event.last))
    assert levels == [(1, False), (2, False), (3, False), (4, True)]


def test_reminders_wait_for_office_hours() -> None:
    policy = load_policy('[settlement]\ninvoice_within = "5 days"')
    calendar = pin_calendar("ZH", policy, FIRST.date())
    of = opening("SP-1", policy=policy, calendar=calendar)
    settlement = settled(of, *issued(of), at=at("2026-11-02 23:00")).settlement
    assert settlement.invoice_due.date() == date(2026, 11, 7), "a Saturday"
    assert settlement.next_reminder == at("2026-11-09 08:00")


def test_without_a_deadline_the_invoice_is_awaited_and_nobody_reminded() -> None:
    of = opening("SP-1", policy=load_policy('[settlement]\ninvoice_within = "none"'))
    settlement = settled(of, *issued(of), at=at("2026-12-21 09:00")).settlement
    assert settlement.status is SettlementStatus.ISSUED
    assert (settlement.invoice_due, next_instant(settlement)) == (None, None)
    settlement, _ = handle(settlement, RIGHT, PARTNER, at("2027-06-01 09:00"))
    assert settlement.status is SettlementStatus.INVOICED


def test_nothing_is_awaited_of_a_partner_that_has_nothing_to_claim() -> None:
    of = opening("SP-1")
    settlement = settled(
        of, Close(), claims(), statement(of.settlement_id, total="-5.00")
    ).settlement
    assert (settlement.invoice_due, next_instant(settlement)) == (None, None)
    assert not settlement.can_be_drafted


def test_mails_that_lost_their_sense() -> None:
    of = opening("SP-1")
    opened, first = open_settlement(of, SYSTEM, FIRST)
    told, events = handle(opened, PassTime(), SYSTEM, at("2026-11-02 08:00"))
    (mail,) = settlement_mails(opened, events, "de")
    assert not is_obsolete(mail, told)
    assert is_obsolete(mail, handle(told, Close(), PARTNER, at("2026-11-02 09:00"))[0])
    closed, more = handle(told, Close(), PARTNER, at("2026-11-02 09:00"))
    assert obsolete_settlement_mails(told, (*first, *events)) == frozenset()
    assert obsolete_settlement_mails(closed, (*first, *events, *more)) == {mail.key}
    assert settlement_mails(begin(of, FIRST), first, "de") == ()
    _, events = handle(opened, VOID, OPERATIONS, FIRST)
    assert settlement_mails(opened, events, "de") == (), "of what it does not know it is not told"


# --- every order in exactly one settlement -----------------------------------------------------------------------


@settings(max_examples=40)
@given(st.data())
def test_in_the_end_each_completed_order_is_in_exactly_one_settlement(data: st.DataObject) -> None:
    """Whatever is picked, refused or taken back: one and the next share no order, and none is lost."""
    lines = {
        f"SP-{n}": Line(
            sp_id=f"SP-{n}",
            sales_order_id="1",
            executed_on=date(2026, 10, 1 + n % 28),
            service="Anschliessen",
            customer_place="8004 Zürich",
            fee=Decimal(data.draw(st.integers(1, 99_999))).scaleb(-2),
        )
        for n in range(data.draw(st.integers(0, 12)))
    }
    owner: dict[str, str] = {}
    month = Month(2026, 10)
    for patience in (4, 3, 2, 1, 0):
        free = sorted(set(lines) - set(owner))
        stubborn = patience > 0
        picked = (
            data.draw(st.lists(st.sampled_from(free), unique=True)) if free and stubborn else free
        )
        of = opening(*picked, month=month)
        refusing = (
            data.draw(st.lists(st.sampled_from(picked), unique=True)) if picked and stubborn else []
        )
        held = settled(of, Close(), claims(*((sp_id, "unavailable") for sp_id in refusing)))
        settlement = held.settlement
        assert fold(of, held.events) == settlement
        assert not set(settlement.picked) & set(owner), "no order is billed twice"
        assert sorted((*settlement.picked, *refusing)) == sorted(picked), (
            "each is billed or left out"
        )
        made = account_of(settlement, (lines[sp_id] for sp_id in settlement.picked))
        assert made.net == sum((lines[sp_id].fee for sp_id in settlement.picked), Decimal(0))
        taken_back = stubborn and settlement.status == "closing" and data.draw(st.booleans())
        if not taken_back:
            owner |= dict.fromkeys(settlement.picked, settlement.settlement_id)
        month = month.next
    assert set(owner) == set(lines)
