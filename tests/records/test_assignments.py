"""Whose order is whose: an assignment holds while its partner has the order and its person has a login."""

import asyncio
from datetime import timedelta

from sqlalchemy import delete, func, select, text

from contracts.activities import Snapshot
from domain.orders.commands import Reassign
from domain.orders.events import Reassigned
from domain.orders.order import Status
from records.account_notices import Recipient
from records.accounts import AccountRecords
from records.assignments import NOBODY, Assigned, Assignment, Assignments, is_assigned_to
from records.database import Database
from records.order_lists import OrderFilter
from records.orders import Orders
from records.partners import Partners
from records.tables import order_assignments, orders, person_mails, users
from tests.activities.conftest import partner
from tests.support.builders import MONDAY, TRANSMITTED, assignee, intake, lived
from tests.support.users import add_user

HUBER, LUZERN = "elektro-huber", "luzern-montage"
AWAY = Reassign(partner=assignee(LUZERN), calendar=intake().calendar, reason="Ferien")
BACK = Reassign(partner=assignee(HUBER), calendar=intake().calendar, reason="zurück")
LATER = MONDAY + timedelta(minutes=40)
OPERATIONS = Recipient("operations", "desk@cmi.example", "", "de", True)


async def people(database: Database) -> None:
    """Two firms, the first with two people."""
    for name in (HUBER, LUZERN):
        await Partners(database).put(partner(name), MONDAY)
    accounts = AccountRecords(database)
    for user_id, name, firm in (
        ("usr_hans", "Hans Muster", HUBER),
        ("usr_rita", "Rita Frei", HUBER),
        ("usr_else", "Else Fremd", LUZERN),
    ):
        email = f"{user_id}@firm.example"
        await add_user(accounts, user_id, "partner", firm, email, name, "de", MONDAY)


async def save(database: Database, *steps: object) -> None:
    order, events = lived(*TRANSMITTED, *steps, sp_id="SP-1", rules=2)
    await Orders(database).save(Snapshot(order=order, events=events))


def to(user_id: str, partner_id: str = HUBER) -> Assignment:
    return Assignment("SP-1", partner_id, user_id, "usr_rita", LATER)


async def test_only_people_of_the_partner_that_has_the_order_get_it(database: Database) -> None:
    await people(database)
    await save(database)
    assignments = Assignments(database)
    assert await assignments.of(["SP-1"]) == {}
    assert await assignments.assign(to("usr_else")) == "unknown_user"
    assert await assignments.assign(to("usr_else", LUZERN)) == "lost"
    assert await assignments.assign(to("usr_hans")) == "assigned"
    assert await assignments.assign(to("usr_hans")) == "unchanged"
    assert await assignments.assign(to("usr_rita")) == "assigned"
    assert await assignments.of(["SP-1", "SP-2"]) == {"SP-1": Assigned("usr_rita", "Rita Frei")}
    await assignments.clear("SP-1", LUZERN, "usr_rita", LATER)  # not its own
    assert await assignments.of(["SP-1"])
    await assignments.clear("SP-1", HUBER, "usr_rita", LATER)
    assert await assignments.of(["SP-1"]) == {}


async def test_lists_find_the_orders_of_a_person_and_of_nobody(database: Database) -> None:
    await people(database)
    await save(database)

    async def found(user_id: str) -> int:
        query = select(func.count()).select_from(orders).where(is_assigned_to(user_id))
        return await database.read(lambda connection: connection.execute(query).scalar_one())

    assert (await found("usr_hans"), await found(NOBODY)) == (0, 1)
    await Assignments(database).assign(to("usr_hans"))
    assert (await found("usr_hans"), await found("usr_rita"), await found(NOBODY)) == (1, 0, 0)

    async def counted(user_id: str) -> dict[Status, int]:
        which = OrderFilter(partner_id=HUBER, person_id=user_id)
        return await Orders(database).counts(which)

    assert await counted("usr_hans") == {Status.NEW: 1}
    assert await counted("usr_rita") == await counted(NOBODY) == {}


async def test_an_order_that_comes_back_to_its_partner_is_nobodys(database: Database) -> None:
    await people(database)
    await save(database)
    assignments = Assignments(database)
    await assignments.assign(to("usr_hans"))
    await save(database, AWAY)
    assert await assignments.of(["SP-1"]) == {}
    await save(database, AWAY, BACK, *TRANSMITTED)
    assert await assignments.of(["SP-1"]) == {}
    assert await assignments.assign(to("usr_hans")) == "assigned"
    await save(database, AWAY, BACK, *TRANSMITTED, timedelta(minutes=1))
    assert await assignments.of(["SP-1"])  # what happened before it ends nothing


async def test_an_assignment_and_a_reassignment_at_once_leave_nobody(database: Database) -> None:
    await people(database)
    await save(database)
    assignments = Assignments(database)
    late = to("usr_hans")._replace(assigned_at=MONDAY + timedelta(days=1))
    await asyncio.gather(assignments.assign(late), save(database, AWAY))
    assert await assignments.of(["SP-1"]) == {}
    count = select(func.count()).select_from(order_assignments)
    assert await database.read(lambda c: c.execute(count).scalar_one()) == 0
    _, events = lived(*TRANSMITTED, AWAY, sp_id="SP-1", rules=2)
    assert any(isinstance(each.event, Reassigned) for each in events)


async def test_the_end_of_a_login_ends_its_assignments(database: Database) -> None:
    await people(database)
    await save(database)
    assignments = Assignments(database)
    leaving = AccountRecords(database).leaving
    await asyncio.gather(
        assignments.assign(to("usr_hans")), leaving.remove_user("usr_hans", LATER, OPERATIONS)
    )
    assert await assignments.of(["SP-1"]) == {}
    assert await assignments.assign(to("usr_hans")) == "unknown_user"


async def test_two_orders_change_hands_at_once(database: Database) -> None:
    await people(database)
    accounts = AccountRecords(database)
    for user_id in ("usr_hans", "usr_rita"):
        await accounts.passwords.set(user_id, "no hash", MONDAY)
    sp_ids = ("SP-1", "SP-2")
    for sp_id in sp_ids:
        order, events = lived(*TRANSMITTED, sp_id=sp_id, rules=2)
        await Orders(database).save(Snapshot(order=order, events=events))
    assignments = Assignments(database)
    for _ in range(5):
        for who in (("usr_hans", "usr_rita"), ("usr_rita", "usr_hans")):
            wanted = [
                Assignment(sp_id, HUBER, user_id, "tok_1", LATER)
                for sp_id, user_id in zip(sp_ids, who, strict=True)
            ]
            assert set(await asyncio.gather(*map(assignments.assign, wanted))) == {"assigned"}


async def test_a_login_removed_in_the_moment_in_which_its_order_is_taken_away(
    database: Database,
) -> None:
    await people(database)
    await save(database)
    assignments = Assignments(database)
    accounts = AccountRecords(database)
    for user_id in ("usr_hans", "usr_rita"):
        await accounts.passwords.set(user_id, "no hash", MONDAY)
    for number, take_away in enumerate(
        (
            lambda: assignments.clear("SP-1", HUBER, "usr_rita", LATER),
            lambda: assignments.assign(to("usr_rita")),
            lambda: save(database, AWAY),
        )
    ):
        leaver = f"usr_{number}"
        await add_user(
            accounts, leaver, "partner", HUBER, f"{number}@firm.example", "N", "de", MONDAY
        )
        await accounts.passwords.set(leaver, "no hash", MONDAY)
        assert await assignments.assign(to(leaver)) == "assigned"
        async with database.writing() as connection:
            await connection.execute(delete(users).where(users.c.user_id == leaver))
            taking = asyncio.ensure_future(take_away())
            while not (database.is_sqlite or await waits_for_lock(database) or taking.done()):
                await asyncio.sleep(0.01)
        await taking
    count = select(func.count()).select_from(person_mails).where(person_mails.c.kind == "changes")
    assert await database.read(lambda c: c.execute(count).scalar_one()) == 0


async def waits_for_lock(database: Database, transactions: int = 1) -> bool:
    """Whether so many transactions of this database wait for others (PostgreSQL)."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return await database.read(lambda c: c.execute(waiting).scalar_one()) >= transactions
