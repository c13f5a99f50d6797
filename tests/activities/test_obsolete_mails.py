"""Mails that lost their sense unsent are marked; every other one is left alone."""

from datetime import timedelta

from sqlalchemy import update

from activities.obsolete_mails import ObsoleteMails
from contracts.activities import Snapshot
from domain.orders.commands import Cancel
from domain.settlements.commands import PassTime, VoidSettlement
from records.database import Database
from records.mails import MailLog
from records.orders import Orders
from records.settlements import Settlements
from records.tables import timeline
from tests.activities.mails import mails_of, one
from tests.support.builders import MONDAY, TRANSMITTED, lived
from tests.support.settlements import FIRST, opening, settled

LATER = MONDAY + timedelta(days=60)


async def _begin(log: MailLog, key: str, about: str) -> None:
    await log.begin(key, about, "", "partner", "a@huber.example", f"<{key}@cmi>", MONDAY)


async def _states(log: MailLog) -> dict[str, str]:
    return {row.key: row.state for row in await log.undelivered()}


async def test_the_mails_of_an_order_that_ended(database: Database, log: MailLog) -> None:
    orders = Orders(database)
    obsolete = ObsoleteMails(log, orders, Settlements(database))
    # The first mail was begun, and did not get out before the order was cancelled.
    steps = (timedelta(minutes=30), Cancel(reason="Storno"))
    first = one("new_order", mails_of(timedelta(minutes=30)))
    order, events = lived(timedelta(minutes=30))
    await orders.save(Snapshot(order=order, events=events))
    await _begin(log, first.key, first.sp_id)
    await _begin(log, f"{first.sp_id}/99/cancelled/elektro-huber", first.sp_id)  # not recorded yet
    await _begin(log, "SP-unknown/1/new_order/x", "SP-unknown")
    assert await obsolete.mark(LATER) == 0
    order, events = lived(*steps)
    await orders.save(Snapshot(order=order, events=events))
    assert await obsolete.mark(MONDAY) == 0, "it may be under way"
    assert await obsolete.mark(LATER) == 1
    assert first.key not in await _states(log)
    assert set((await _states(log)).values()) == {"sending"}
    assert len(await _states(log)) == 2


async def test_a_mail_that_still_has_its_sense(database: Database, log: MailLog) -> None:
    orders = Orders(database)
    order, events = lived(*TRANSMITTED, timedelta(days=1))
    await orders.save(Snapshot(order=order, events=events))
    for mail in mails_of(*TRANSMITTED, timedelta(days=1)):
        await _begin(log, mail.key, mail.sp_id)
    before = await _states(log)
    assert await ObsoleteMails(log, orders, Settlements(database)).mark(LATER) == 0
    assert await _states(log) == before != {}


async def test_the_mails_of_a_settlement(database: Database, log: MailLog) -> None:

    settlements = Settlements(database)
    of = opening()
    obsolete = ObsoleteMails(log, Orders(database), settlements)
    told = settled(of, timedelta(hours=4), PassTime(), at=FIRST)
    key = f"{of.settlement_id}:{told.events[-1].seq}:settlement_opened:partner"
    await _begin(log, key, of.settlement_id)
    await settlements.save(told)
    assert await obsolete.mark(LATER) == 0
    await settlements.save(
        settled(of, timedelta(hours=4), PassTime(), VoidSettlement(reason="Auf Wunsch"), at=FIRST)
    )
    assert await obsolete.mark(LATER) == 1
    assert await _states(log) == {}


async def test_what_a_newer_release_wrote_is_not_judged_and_holds_up_nothing(
    database: Database, log: MailLog
) -> None:
    orders = Orders(database)
    first = one("new_order", mails_of(timedelta(minutes=30)))
    order, events = lived(timedelta(minutes=30))
    await orders.save(Snapshot(order=order, events=events))
    await _begin(log, first.key, first.sp_id)
    async with database.writing() as connection:
        newer = update(timeline).where(timeline.c.seq == 2).values(data='{"type": "newer_thing"}')
        await connection.execute(newer)
    assert await ObsoleteMails(log, orders, Settlements(database)).mark(LATER) == 0
