"""A partner keeps somebody in its office who can log in, whoever changes what at once."""

import asyncio

from records.account_notices import Recipient
from records.accounts import AccountRecords
from records.database import Database
from records.partners import Partners
from records.people import LastOffice, PeopleRecords
from tests.activities.conftest import partner
from tests.support.builders import MONDAY
from tests.support.users import add_user

HUBER = "elektro-huber"
OPERATIONS = Recipient("operations", "desk@cmi.example", "", "de", True)


async def office(database: Database, *user_ids: str) -> AccountRecords:
    """A firm with these people in its office, who can log in, and one who was invited."""
    await Partners(database).put(partner(HUBER), MONDAY)
    accounts = AccountRecords(database)
    for user_id in (*user_ids, "usr_invited"):
        email = f"{user_id}@firm.example"
        await add_user(accounts, user_id, "partner", HUBER, email, user_id, "de", MONDAY)
    for user_id in user_ids:
        await accounts.passwords.set(user_id, "no hash", MONDAY)
    return accounts


async def test_two_who_remove_each_other_do_not_empty_the_office(database: Database) -> None:
    accounts = await office(database, "usr_a", "usr_b")
    leaving = accounts.leaving
    done = await asyncio.gather(
        leaving.remove_user("usr_a", MONDAY, OPERATIONS, HUBER),
        leaving.remove_user("usr_b", MONDAY, OPERATIONS, HUBER),
        return_exceptions=True,
    )
    assert sorted(isinstance(each, LastOffice) for each in done) == [False, True]
    users = await accounts.users(HUBER, MONDAY)
    assert len([each for each in users if each.invitation == "accepted"]) == 1


async def test_a_removal_and_a_change_of_role_at_once(database: Database) -> None:
    accounts = await office(database, "usr_a", "usr_b")
    done = await asyncio.gather(
        accounts.leaving.remove_user("usr_a", MONDAY, OPERATIONS, HUBER),
        PeopleRecords(database).change(HUBER, "usr_b", "technician", None),
        accounts.leaving.remove_user("usr_b", MONDAY, OPERATIONS, HUBER),
        return_exceptions=True,
    )
    assert any(isinstance(each, LastOffice) for each in done)
    users = await accounts.users(HUBER, MONDAY)
    assert [each.partner_role for each in users if each.invitation == "accepted"] == ["office"]


async def test_what_is_chosen_for_a_person(database: Database) -> None:
    accounts = await office(database, "usr_a")
    people = PeopleRecords(database)
    assert not await people.change("luzern-montage", "usr_a", None, ("today",))
    assert not await people.change(HUBER, "usr_nobody", None, ("today",))
    assert await people.change(HUBER, "usr_a", None, ())
    known = await accounts.by_id("usr_a", MONDAY)
    assert known is not None
    assert (known.user.partner_role, known.user.notifications) == ("office", ())
