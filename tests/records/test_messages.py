"""Messages and notes in the records: numbers, ids, partners, answers, unread ones, limits, mails, erasure."""

import asyncio
from datetime import timedelta
from typing import NamedTuple

import pytest
from sqlalchemy import update

from contracts.activities import Snapshot
from domain.errors import InvalidCommand
from domain.orders.messages import MOST_AN_HOUR, UNREAD_FOR, Message, Side, can_read, is_unread
from domain.orders.order import Order
from records.database import Database
from records.erasures import Erasures
from records.locked_orders import NotRecorded
from records.message_mails import COLLECTED, MessageMailQueue
from records.messages import IdReused, Messages, NotWritten
from records.orders import Orders
from records.partners import Partners
from records.tables import orders as order_rows
from tests.activities.conftest import partner
from tests.support.builders import BILLED, MONDAY, TRANSMITTED, lived

LATER = MONDAY + timedelta(days=3)
HUBER, LUZERN = "elektro-huber", "luzern-montage"


async def kept(database: Database, *steps: object, sp_id: str = "SP-1") -> Order:
    """An order in the records, with its partners."""
    for name in (HUBER, LUZERN):
        await Partners(database).put(partner(name), MONDAY)
    order, events = lived(*(steps or TRANSMITTED), sp_id=sp_id)
    await Orders(database).save(Snapshot(order=order, events=events))
    return order


def new(number: int = 1, **changes: object) -> Message:
    """A message of the partner, before it is written."""
    plain = Message(
        message_id=f"msg_{number}",
        sp_id="SP-1",
        seq=0,
        partner_id=HUBER,
        side="partner",
        internal=False,
        login_id="usr_petra",
        author="Petra",
        text=f"Frage {number}",
        at=LATER + timedelta(minutes=number),
        due=LATER + timedelta(days=1, minutes=number),
    )
    return plain._replace(**changes)


def reply(number: int, **changes: object) -> Message:
    """A message of operations, before it is written."""
    mine = {"side": "operations", "login_id": "usr_anna", "author": "Anna", "due": None}
    return new(number, **(mine | changes))


async def test_messages_are_numbered_and_the_same_one_comes_once(database: Database) -> None:
    await kept(database)
    messages = Messages(database)
    first = await messages.add(new(1))
    assert await messages.add(new(1, at=LATER + timedelta(hours=1))) == first
    second = await messages.add(reply(2))
    assert (first.seq, second.seq) == (1, 2)
    assert [each.text for each in await messages.all("SP-1")] == ["Frage 1", "Frage 2"]
    with pytest.raises(IdReused):
        await messages.add(new(1, text="Etwas anderes"))


async def test_many_at_once_get_different_numbers(database: Database) -> None:
    await kept(database)
    messages = Messages(database)
    twice = [new(n) for n in range(1, 9)] * 2
    written = await asyncio.gather(*(messages.add(each) for each in twice))
    assert sorted(each.seq for each in written) == sorted(list(range(1, 9)) * 2)
    assert [each.seq for each in await messages.all("SP-1")] == list(range(1, 9))


async def test_who_may_not_write(database: Database) -> None:
    messages = Messages(database)
    with pytest.raises(NotRecorded):
        await messages.add(new())
    order = await kept(database)
    with pytest.raises(NotWritten, match="other_partner"):
        await messages.add(reply(1, partner_id=LUZERN))
    other, events = lived(sp_id="SP-2")
    await Orders(database).save(Snapshot(order=other, events=events))
    with pytest.raises(NotWritten, match="no_partner"):
        await messages.add(reply(1, sp_id="SP-2"))
    assert (await messages.add(reply(1, sp_id="SP-2", internal=True))).seq == 1
    assert order.transmitted_at is not None


async def test_an_answer_answers_all_earlier_messages_of_the_partner(database: Database) -> None:
    await kept(database)
    messages = Messages(database)
    await messages.add(new(1))
    await messages.add(new(2))
    await messages.add(reply(3, internal=True))
    waiting = await messages.waiting(10)
    assert waiting.total == 1
    (one,) = waiting.items
    assert (one.first.text, one.number, one.due) == ("Frage 1", 2, new(1).due)
    assert one.placement.sp_id == "SP-1"
    await messages.add(reply(4))
    assert await messages.waiting(10) == ((), 0)
    await messages.add(new(5))
    last = await messages.add(new(6))
    fifth = next(each for each in await messages.all("SP-1") if each.text == "Frage 5")
    assert not await messages.close("SP-2", last.message_id, LATER)
    assert not await messages.close("SP-1", "msg_4", LATER), "it is not the partner's"
    assert not await messages.close("SP-1", "msg_\0", LATER)
    assert await messages.close("SP-1", fifth.message_id, LATER)
    (one,) = (await messages.waiting(10)).items
    assert (one.first.text, one.number) == ("Frage 6", 1), "what came meanwhile still waits"


async def test_the_most_urgent_answer_comes_first_and_former_partners_wait_for_none(
    database: Database,
) -> None:
    for number, sp_id in enumerate(("SP-1", "SP-2", "SP-3"), 1):
        await kept(database, sp_id=sp_id)
        due = None if number == 1 else LATER - timedelta(days=number)
        await Messages(database).add(new(number, sp_id=sp_id, due=due))
    found = await Messages(database).waiting(10)
    assert [each.placement.sp_id for each in found.items] == ["SP-3", "SP-2", "SP-1"]
    assert (len((await Messages(database).waiting(2)).items), found.total) == (2, 3)
    await set_partner(database, "SP-3", LUZERN)
    assert [each.placement.sp_id for each in (await Messages(database).waiting(9)).items] == [
        "SP-2",
        "SP-1",
    ]
    assert await Messages(database).unread("partner", "usr_l", LUZERN, LATER, ["SP-3"]) == {}


async def set_partner(database: Database, sp_id: str, partner_id: str) -> None:
    """Another partner has the order, as if it were reassigned."""
    changed = update(order_rows).where(order_rows.c.sp_id == sp_id).values(partner_id=partner_id)
    await database.write(lambda connection: connection.execute(changed))


async def test_a_partner_sees_its_own_messages_and_no_notes(database: Database) -> None:
    await kept(database)
    messages = Messages(database)
    await messages.add(new(1))
    await messages.add(reply(2))
    await messages.add(reply(3, internal=True))
    await set_partner(database, "SP-1", LUZERN)
    await messages.add(new(4, partner_id=LUZERN, login_id="usr_luz"))

    async def seen(partner_id: str | None) -> list[str]:
        found = await messages.thread("SP-1", "usr_x", partner_id)
        return [each.text[-1] for each in found.messages]

    assert await seen(HUBER) == ["1", "2"]
    assert await seen(LUZERN) == ["4"]
    assert await seen(None) == ["1", "2", "3", "4"]


class Reader(NamedTuple):
    """Somebody who reads messages: a login of a side."""

    side: Side
    login_id: str
    partner_id: str | None


READERS = (
    Reader("partner", "usr_petra", HUBER),
    Reader("partner", "usr_kurt", HUBER),
    Reader("operations", "usr_anna", None),
    Reader("operations", "usr_beat", None),
)


async def test_what_is_unread_is_counted_as_the_rule_says(database: Database) -> None:
    await kept(database)
    messages = Messages(database)
    now = LATER + timedelta(hours=2)
    written = (
        new(1, at=now - UNREAD_FOR),
        new(2),
        new(3, login_id="usr_kurt"),
        reply(4),
        reply(5, internal=True),
        reply(6, internal=True, login_id="usr_beat"),
    )
    for each in written:
        await messages.add(each)
    for reader in READERS:
        for read in (0, 2, 4, 6):
            await messages.mark_read(reader.login_id, "SP-1", read)
            thread = await messages.thread("SP-1", reader.login_id, reader.partner_id)
            assert thread.read == read
            expected = sum(
                is_unread(each, reader.side, reader.login_id, read, now)
                for each in await messages.all("SP-1")
                if can_read(each, reader.side, reader.partner_id)
            )
            counted = await messages.unread(
                reader.side, reader.login_id, reader.partner_id, now, ["SP-1"]
            )
            assert counted == ({"SP-1": expected} if expected else {}), (reader.login_id, read)
            if reader.partner_id:
                orders = await messages.unread_orders(reader.login_id, HUBER, now, 9)
                assert [each.number for each in orders] == ([expected] if expected else [])
        await messages.mark_read(reader.login_id, "SP-1", 1)
        again = await messages.thread("SP-1", reader.login_id, reader.partner_id)
        assert again.read == 6, "an old page that comes late unreads nothing"


async def test_limits_count_each_side_and_notes_apart(database: Database) -> None:
    await kept(database)
    messages = Messages(database)
    for n in range(1, MOST_AN_HOUR + 1):
        await messages.add(new(n, at=LATER))
    with pytest.raises(InvalidCommand) as refused:
        await messages.add(new(99, at=LATER))
    assert (refused.value.field, refused.value.code) == ("text", "too_many_messages_now")
    assert (await messages.add(new(1, at=LATER))).seq == 1, "a repetition is none more"
    await messages.add(reply(100, at=LATER))
    await messages.add(reply(101, at=LATER, internal=True))
    await messages.add(new(102, at=LATER + timedelta(hours=1)))


async def test_one_mail_for_what_is_written_within_a_short_time(database: Database) -> None:
    await kept(database)
    messages, queue = Messages(database), MessageMailQueue(database)
    await messages.add(new(1))
    await messages.add(new(2))
    await messages.add(reply(3))
    await messages.add(reply(4, internal=True))
    assert await queue.due(new(1).at + COLLECTED - timedelta(seconds=1), 9) == ()
    first, second = await queue.due(LATER + timedelta(hours=1), 9)
    assert (first.audience, second.audience) == ("operations", "partner")
    assert [each.text for each in await queue.messages(first.key)] == ["Frage 1", "Frage 2"]
    assert [each.text for each in await queue.messages(second.key)] == ["Frage 3"]
    leased = LATER + timedelta(hours=2)
    assert await queue.try_next(first, leased)
    assert not await queue.try_next(first, leased), "another process has it"
    await messages.add(new(5))
    third = (await queue.due(LATER + timedelta(hours=3), 9))[-2]
    assert [each.text for each in await queue.messages(third.key)] == ["Frage 5"]
    await queue.delete(first.key)
    assert first.key not in {each.key for each in await queue.due(LATER + timedelta(days=1), 9)}


async def test_nothing_is_left_after_an_erasure_and_nothing_comes_again(database: Database) -> None:
    await kept(database, *BILLED)
    messages = Messages(database)
    await messages.add(new(1))
    await messages.add(reply(2, internal=True))
    await messages.mark_read("usr_anna", "SP-1", 2)

    async def ended() -> bool:
        return False

    assert await Erasures(database).erase("SP-1", "operations:Anna", LATER, ended) is None
    assert await messages.all("SP-1") == ()
    assert (await messages.thread("SP-1", "usr_anna", None)).read == 0
    assert await MessageMailQueue(database).due(LATER + timedelta(days=1), 9) == ()
    for again in (new(1), new(3), reply(4, internal=True)):
        with pytest.raises(NotWritten, match="erased"):
            await messages.add(again)


async def test_a_partner_that_cannot_be_stored_has_nothing(database: Database) -> None:
    assert await Messages(database).unread_orders("usr_x", "\0", LATER, 9) == ()
