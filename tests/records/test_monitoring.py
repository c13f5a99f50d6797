"""What operations watch, counted by the database: lateness, reports, mails that do not get out, partners by a text."""

from datetime import date, timedelta

import pytest

from contracts.activities import Snapshot
from domain.orders.commands import (
    Accept,
    DecideReview,
    Decline,
    RejectRequirements,
    ReportNotExecuted,
    ReportProblem,
    Unassign,
)
from domain.orders.order import Order, Status
from records.accounts import AccountRecords
from records.database import Database
from records.digest import Digests, Limits
from records.links import NewLink
from records.login_attempts import Limit, LoginAttempts
from records.mails import MailLog, PendingMail
from records.monitoring import LatePartner, Monitoring
from records.order_lists import OrderFilter
from records.orders import Orders
from records.partners import Partner, Partners
from records.punctuality import PunctualityRecords
from records.worklist import Worklists
from tests.activities.conftest import partner
from tests.support.builders import (
    ACCEPTED,
    AGREED,
    COMPLETED,
    MONDAY,
    OPERATIONS,
    REQUIREMENTS_MET,
    TRANSMITTED,
    Step,
    intake,
    lived,
)
from use_cases.operations import LONG, Operations
from use_cases.principal import Principal
from use_cases.worklist import STATES

MONTH = timedelta(days=30)
NOW = MONDAY + MONTH
ANNA = Principal(role="operations", login_id="usr_1", name="Anna")
ABSENT = ReportNotExecuted(reason="customer_absent", note="Ring «2»")
REPORTED: tuple[Step, ...] = (*AGREED, timedelta(days=2, hours=4), ABSENT)


async def keep(database: Database, sp_id: str, *steps: Step, partner_id: str = "bianchi") -> None:
    order, events = lived(*steps, sp_id=sp_id, partner_id=partner_id)
    await Orders(database).save(Snapshot(order=order, events=events))


@pytest.fixture
async def operations(database: Database) -> Operations:
    """The use cases of operations, with orders of two partners in all kinds of trouble."""
    for number in range(3):
        await keep(database, f"SP-N{number}", *TRANSMITTED)
    await keep(database, "SP-C", *ACCEPTED, partner_id="huber")
    await keep(database, "SP-W", *REQUIREMENTS_MET, partner_id="huber")
    await keep(database, "SP-T")
    await keep(database, "SP-R", *REPORTED)
    again: tuple[Step, ...] = (DecideReview(decision="new_appointment"),)
    await keep(database, "SP-R2", *REPORTED, *again)
    await keep(database, "SP-D", *COMPLETED)
    return Operations(database, lambda: NOW)


async def test_how_things_stand(operations: Operations) -> None:
    situation = await operations.overview(ANNA, each=2)
    assert (situation.late_count, len(situation.late)) == (8, 2)
    assert situation.untransmitted_count == 1
    assert [each.order.sp_id for each in situation.untransmitted] == ["SP-T"]
    assert situation.review_count == 1
    review = situation.reviews[0]
    assert review.order.sp_id == "SP-R"
    assert review.report is not None
    assert (review.report.reason, review.report.note) == (ABSENT.reason, ABSENT.note)
    assert review.due is not None
    assert [each[:2] for each in situation.late_partners] == [("bianchi", 4), ("huber", 1)]
    assert (situation.mail_count, situation.finding_count, situation.throttled) == (0, 0, 0)


async def test_late_orders_page_by_page(operations: Operations) -> None:
    found, cursor = [], None
    while True:
        items, cursor = await operations.late(ANNA, limit=3, cursor=cursor)
        found += items
        if cursor is None:
            break
    assert found[0].order.sp_id == "SP-T"
    assert {item.order.sp_id for item in found} == {
        "SP-N0", "SP-N1", "SP-N2", "SP-C", "SP-W", "SP-T", "SP-R", "SP-R2",
    }  # fmt: skip
    balls = {item.order.sp_id: item.ball for item in found}
    assert balls["SP-N0"] == balls["SP-C"] == balls["SP-R2"] == "partner"
    assert balls["SP-R"] == balls["SP-T"] == "retailer"
    assert balls["SP-W"] == "warehouse"
    others = {item.order.sp_id: item.others for item in found}
    assert others["SP-N0"] == 1, "to reach the customer, too"
    assert [item.deadline.due for item in found] == sorted(item.deadline.due for item in found)
    mine, _ = await operations.late(ANNA, "huber")
    assert {item.order.sp_id for item in mine} == {"SP-C", "SP-W"}
    with pytest.raises(ValueError, match="cursor"):
        await operations.late(ANNA, cursor="x")


async def test_nothing_is_late_before_it_is_due(database: Database, operations: Operations) -> None:
    watch = Monitoring(database)
    orders = Orders(database)
    assert await orders.first(OrderFilter(overdue_at=MONDAY), 5) == (0, ())
    assert await watch.late_partners(MONDAY, 10) == ()
    (first,) = await watch.late_partners(NOW, 1)
    assert isinstance(first, LatePartner)
    assert first.since < NOW


async def test_a_number_and_the_list_below_it_agree(
    database: Database, operations: Operations
) -> None:
    """Whatever filter, whatever limit: all of the list are counted, and its first are those of its first page."""
    orders = Orders(database)
    for which in (
        OrderFilter(),
        OrderFilter(overdue_at=NOW),
        OrderFilter(overdue_at=NOW, overdue_with="transmit"),
        OrderFilter(status=Status.UNDER_REVIEW),
        OrderFilter(partner_id="huber"),
    ):
        whole = (await orders.page(which, 100, sort="urgent")).items
        for limit in (1, 3, 100):
            total, items = await orders.first(which, limit)
            assert total == len(whole)
            assert items == whole[:limit]
    situation = await operations.overview(ANNA, each=100)
    assert situation.late_count == len(situation.late)
    assert situation.review_count == len(situation.reviews)
    assert situation.unassigned_count == len(situation.unassigned)
    assert situation.untransmitted_count == len(situation.untransmitted)
    assert situation.finding_count == len(situation.findings)


async def test_open_orders_of_a_partner(database: Database, operations: Operations) -> None:
    watch = Monitoring(database)
    assert await operations.open_orders_of(ANNA, "bianchi") == 6, "all but the one that is done"
    assert await watch.open_of("nobody") == 0
    assert await watch.count(Status.COMPLETED) == 1


# --- mails, invitations, guesses ---------------------------------------------------------------------------------


async def test_mails_that_do_not_get_out(database: Database, operations: Operations) -> None:
    log = MailLog(database)
    minute = timedelta(minutes=1)
    for key, ago in (("old", MONTH + minute), ("given", 2 * LONG), ("long", LONG), ("new", minute)):
        await log.begin(key, "SP-1", "reminder", "partner", "a@x.example", f"<{key}>", NOW - ago)
    await log.given_up("given")
    await log.given_up("old")
    for number in range(3):
        key = f"fresh-{number}"
        await log.begin(key, "SP-2", "reminder", "partner", "a@x.example", f"<{key}>", NOW - minute)
    await log.given_up("fresh-1")
    await log.begin("sent", "SP-3", "reminder", "partner", "a@x.example", "<s>", NOW - 2 * LONG)
    await log.sent("sent", NOW)
    expected = ["fresh-1", "long", "given"]
    for limit in (1, 2, 3, 10):
        found, cursor = [], None
        while True:
            items, cursor, _ = await operations.stuck_mails(ANNA, limit, cursor)
            found += [mail.key for mail in items]
            if cursor is None:
                break
        assert found == expected
    assert (await operations.overview(ANNA)).mail_count == len(expected)
    with pytest.raises(ValueError, match="cursor"):
        await operations.stuck_mails(ANNA, cursor="x")


async def test_invitations_that_do_not_get_out(database: Database, operations: Operations) -> None:
    records = AccountRecords(database)
    until = NOW + MONTH
    for name, asked, retry in (
        ("refused", NOW, None),
        ("waits", NOW - 2 * LONG, NOW),
        ("soon", NOW, NOW + LONG),
        ("arrived", NOW, None),
    ):
        email = f"{name}@x.example"
        mail = PendingMail(name, name, "invitation", email, f"<{name}>", asked, retry)
        invitation = NewLink(name, "invitation", name, until, mail)
        await records.add_user(name, "operations", None, email, name, "de", NOW, invitation)
    log = MailLog(database)
    await log.sent("arrived", NOW)
    await log.given_up("refused")
    found = await operations.not_invited(ANNA)
    assert {user.user_id: user.invitation for user in found} == {
        "waits": "waiting",
        "refused": "failed",
    }
    assert (await operations.stuck_mails(ANNA)).items == (), "they are shown with their logins"


async def test_how_many_have_to_wait(database: Database) -> None:
    guesses, limit = LoginAttempts(database), Limit(0, LONG, LONG, MONTH)
    await guesses.charge({"a": limit, "b": limit}, NOW)
    assert await guesses.blocked(NOW) == 2
    assert await guesses.blocked(NOW + LONG) == 0


# --- partners ----------------------------------------------------------------------------------------------------


async def test_partners_by_a_text(database: Database) -> None:
    records = Partners(database)
    for partner_id, name in (("a-1", "Élan Sàrl"), ("a-2", "Zügel & Co"), ("b-1", "100% Montage")):
        values = partner(partner_id).model_dump() | {
            "name": name,
            "email": f"{partner_id}@x.example",
        }
        await records.put(Partner.model_validate(values), MONDAY)
    cases = {"": 3, "ZÜGEL": 1, "élan": 1, "a-": 2, "%": 1, "_": 0, "x.example": 3, "nobody": 0}
    for q, count in cases.items():
        found, total = await records.search(q, 10)
        assert len(found) == total == count, q
    first, total = await records.search("a-", 1)
    assert ([each.partner_id for each in first], total) == (["a-1"], 2)
    rest, _ = await records.search("a-", 5, after="a-1")
    assert [each.partner_id for each in rest] == ["a-2"]


# --- version 2 of the rules --------------------------------------------------------------------------------------


async def keep_new(database: Database, sp_id: str, *steps: Step, of: str = "bianchi") -> Order:
    """An order under version 2 of the rules."""
    order, events = lived(
        *steps, of=intake(sp_id=sp_id, partner_id=of).model_copy(update={"rules": 2})
    )
    await Orders(database).save(Snapshot(order=order, events=events))
    return order


async def test_an_order_without_a_partner_is_nobodys(database: Database) -> None:
    """Its last partner finds it in no list, count, search, worklist, digest or report; operations do."""
    for sp_id, last in (
        ("SP-1", (Decline(reason="no_capacity"),)),
        ("SP-2", (Accept(), (Unassign(partner_id="bianchi"), OPERATIONS))),
        ("SP-3", (timedelta(days=30),)),  # nobody has accepted it
    ):
        order = await keep_new(database, sp_id, *TRANSMITTED, *last)
        assert order.status is Status.UNASSIGNED
    own = OrderFilter(partner_id="bianchi")
    orders, monitoring = Orders(database), Monitoring(database)
    assert not (await orders.page(own)).items
    assert not (await orders.page(own.model_copy(update={"q": "SP-1"}))).items
    assert not (await orders.page(own.model_copy(update={"overdue_at": NOW}))).items
    assert await orders.counts(own) == {}
    sections = await Worklists(database).of("bianchi", (*STATES, Status.UNASSIGNED), 10)
    assert all(not section.total and not section.jobs for section in sections.values())
    midnight = NOW + timedelta(hours=12)
    assert not (await Digests(database).open_work("bianchi", NOW, midnight, Limits(9, 9, 9))).total
    assert await monitoring.late_partners(NOW, 10) == ()
    assert await monitoring.open_of("bianchi") == 0
    # Staff see them, and who had them last.
    assert await orders.counts(OrderFilter()) == {Status.UNASSIGNED: 3}
    assert await orders.counts(OrderFilter(assigned_to="bianchi")) == {Status.UNASSIGNED: 3}
    shown = await Operations(database, lambda: NOW).overview(ANNA, each=2)
    assert shown.unassigned_count == 3
    assert len(shown.unassigned) == 2
    page = await Operations(database, lambda: NOW).unassigned(ANNA, limit=9)
    assert {each.order.sp_id for each in page.items} == {"SP-1", "SP-2", "SP-3"}
    assert all(each.since and each.due and each.since < each.due for each in page.items)


async def test_only_the_partner_that_let_it_lapse_is_late(database: Database) -> None:
    """Declining is no miss; an order that nobody accepted is one, of the partner that had it."""
    await keep_new(database, "SP-1", *TRANSMITTED, Decline(reason="no_capacity"))
    await keep_new(database, "SP-2", *TRANSMITTED, timedelta(days=30))
    misses = await PunctualityRecords(database).misses(MONDAY, NOW, NOW)
    assert {(miss.sp_id, miss.partner_id) for miss in misses.items} == {("SP-2", "bianchi")}


async def test_orders_on_hold_are_a_section_of_their_own(database: Database) -> None:
    waiting = DecideReview(decision="wait_until", until=date(2026, 11, 20))
    problem = ReportProblem(reason="site_not_ready", note="Plattenleger")
    await keep_new(database, "SP-1", *AGREED, problem, waiting)
    await keep_new(database, "SP-2", *AGREED, problem)
    sections = await Worklists(database).of("bianchi", STATES, 10)
    totals = {state: section.total for state, section in sections.items() if section.total}
    assert totals == {Status.UNDER_REVIEW: 1, Status.ON_HOLD: 1}
    assert (await Operations(database, lambda: MONDAY).overview(ANNA)).on_hold_count == 1


async def test_what_was_reported_whichever_way(database: Database) -> None:
    rejection = RejectRequirements(reason="no_space", note="Türe 60 cm")
    problem = ReportProblem(reason="site_not_ready", note="Plattenleger")
    await keep_new(database, "SP-1", *ACCEPTED, rejection)
    await keep_new(database, "SP-2", *AGREED, problem)
    reviews = await Operations(database, lambda: MONDAY).reviews(ANNA)
    reported = {each.order.sp_id: each.report for each in reviews.items}
    assert {sp_id: report and report.reason for sp_id, report in reported.items()} == {
        "SP-1": "no_space",
        "SP-2": "site_not_ready",
    }


async def test_a_visible_order_whose_notice_is_late_is_untransmitted(database: Database) -> None:
    """The partner sees it at the end of the hold; the mail about it does not get out."""
    order = await keep_new(database, "SP-1", timedelta(hours=2))
    assert order.status is Status.NEW
    await keep_new(database, "SP-2", *TRANSMITTED, timedelta(hours=2))
    shown = await Operations(database, lambda: MONDAY + timedelta(hours=3)).overview(ANNA)
    assert shown.untransmitted_count == 1
    assert [each.order.sp_id for each in shown.untransmitted] == ["SP-1"]
