"""A mail is tried under one key by one worker first, and a sent one is never begun again."""

import asyncio
from datetime import UTC, datetime, timedelta

from sqlalchemy import insert

from domain.orders.erasure import ERASED
from records.database import Database
from records.mails import MailLog, MailRow
from records.tables import erasures
from tests.support.databases import Copy

NOW = datetime(2026, 10, 5, 7, 30, tzinfo=UTC)


async def begin(log: MailLog, key: str = "SP-1/3/new_order/p", **changes: object) -> MailRow:
    values = {
        "about": "SP-1", "kind": "new_order", "audience": "partner", "recipient": "a@huber.example",
        "message_id": f"<{key}@cmi>", "now": NOW, **changes,
    }  # fmt: skip
    return (await log.begin(key, **values)).row  # type: ignore[arg-type]


async def test_a_mail_from_first_attempt_to_sent(database: Database) -> None:
    log = MailLog(database)
    first = await begin(log)
    assert (first.attempts, first.state, first.is_final) == (1, "sending", False)
    await log.failed(first.key, "connection\0 refused", refused=False)
    second = await begin(
        log, recipient="new@huber.example", message_id="<other>", now=NOW + timedelta(hours=1)
    )
    assert (second.attempts, second.state, second.last_error) == (
        2,
        "sending",
        "connection refused",
    )
    assert (second.recipient, second.message_id) == (first.recipient, first.message_id)
    assert second.first_tried_at == NOW
    await log.failed(first.key, "550 " + "x" * 5000, refused=True)
    (refused,) = await log.undelivered()
    assert refused.state == "refused"
    assert len(refused.last_error or "") == 1000
    await log.sent(first.key, NOW + timedelta(hours=2))
    assert await log.undelivered() == ()
    again = await begin(log)
    assert (again.state, again.attempts, again.is_final) == ("sent", 2, True)
    assert again.sent_at == NOW + timedelta(hours=2)


async def test_what_is_final_stays(database: Database) -> None:
    log = MailLog(database)
    await begin(log, "sent")
    await log.sent("sent", NOW)
    await log.failed("sent", "late answer", refused=True)
    await log.given_up("sent")
    await log.sent("sent", NOW + timedelta(days=1))
    row = await begin(log, "sent")
    assert (row.state, row.sent_at, row.last_error) == ("sent", NOW, None)
    await begin(log, "lost")
    await log.given_up("lost")
    row = await begin(log, "lost")
    assert (row.state, row.attempts, row.is_final) == ("given_up", 1, True)
    assert [each.key for each in await log.undelivered()] == ["lost"]


async def test_only_one_of_many_workers_is_first(copy: Copy) -> None:
    pools = [Database(copy.url), Database(copy.url)]
    rows = await asyncio.gather(*(begin(MailLog(pool)) for _ in range(10) for pool in pools))
    assert sorted(row.attempts for row in rows) == list(range(1, 21))
    for pool in pools:
        await pool.close()


async def test_the_thread_is_the_first_mail_that_was_sent_to_the_recipient(
    database: Database,
) -> None:
    log = MailLog(database)
    assert await _thread(log, "SP-1", "a@huber.example") is None
    await begin(log, "never")
    for n, (key, recipient) in enumerate(
        (
            ("other", "x@bianchi.example"),
            ("second", "a@huber.example"),
            ("third", "a@huber.example"),
        )
    ):
        await begin(log, key, recipient=recipient)
        await log.sent(key, NOW + timedelta(hours=n))
    await begin(log, "foreign", about="SP-2")
    await log.sent("foreign", NOW - timedelta(hours=1))
    assert await _thread(log, "SP-1", "a@huber.example") == "<second@cmi>"
    assert await _thread(log, "SP-1", "x@bianchi.example") == "<other@cmi>"


async def _thread(log: MailLog, about: str, recipient: str) -> str | None:
    """What a further mail would refer to."""
    begun = await log.begin(
        "further", about, "reminder", "partner", recipient, "<further@cmi>", NOW
    )
    return begun.thread


async def test_an_obsolete_mail_is_looked_for_no_more_and_may_still_go_out(
    database: Database,
) -> None:
    log = MailLog(database)
    for key in ("lost", "refused", "sent", "given up", "late"):
        await begin(log, key)
    await log.failed("refused", "550", refused=True)
    await log.sent("sent", NOW)
    await log.given_up("given up")
    tried = await log.tried(NOW, None, 2)
    tried += await log.tried(NOW, tried[-1], 2)
    assert [row.key for row in tried] == ["late", "lost", "refused"]
    assert await log.tried(NOW - timedelta(seconds=1), None, 2) == ()
    keys = ["lost", "refused", "sent", "given up", "late", "unknown"]
    assert await log.obsolete(keys) == 3
    assert await log.obsolete(keys) == 0
    assert [row.key for row in await log.undelivered()] == ["given up"]
    assert [row.key for row in (await log.stuck(NOW, NOW, 9)).items] == ["given up"]
    assert (await log.stuck(NOW, NOW, 9)).total == 1
    assert (await log.stuck(NOW, NOW - timedelta(days=9), 9)).total == 1, "it was given up"
    assert await log.tried(NOW, None, 9) == ()
    # The attempt that was under way meanwhile has its say, and who needs it after all begins again.
    await log.sent("late", NOW)
    assert (await begin(log, "late")).state == "sent"
    assert (await begin(log, "lost")).state == "sending"


async def test_a_late_attempt_says_nothing_of_an_erased_customer(database: Database) -> None:
    """A mail that was on its way while its order was erased."""
    log = MailLog(database)
    own = {"audience": "customer", "recipient": "regula@example.ch"}
    await begin(log, "under way", **own)
    row = {"sp_id": "SP-1", "at": NOW, "by": "operations:Anna"}
    await database.write(lambda connection: connection.execute(insert(erasures).values(**row)))
    await log.failed("under way", "550 <regula@example.ch> is unknown", refused=True)
    late = await begin(log, "late", **own)
    to_partner = await begin(log, "to the partner")
    assert (late.recipient, to_partner.recipient) == (ERASED, "a@huber.example")
    states = {each.key: (each.state, each.last_error) for each in await log.undelivered()}
    assert states["under way"] == ("refused", None)
    of_another = await begin(log, "of another", about="SP-2", **own)
    assert of_another.recipient == "regula@example.ch"
