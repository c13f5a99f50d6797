"""Security events and looks at customers' data, on both databases."""

from datetime import timedelta

import pytest

from records.database import Database
from records.lookups import Look, Lookups, Times
from records.security_events import EventFilter, SecurityEvent, SecurityEvents
from tests.support.builders import MONDAY

HOUR = timedelta(hours=1)


def event(number: int, kind: str = "log_in", account: str = "a") -> SecurityEvent:
    at = MONDAY + number // 2 * HOUR  # two at each instant
    return SecurityEvent(f"{number:04}", at, kind, "failed", account, "x", "y", "", "r")


async def test_pages_have_each_event_once_the_newest_first(database: Database) -> None:
    records = SecurityEvents(database)
    await records.add([event(number) for number in range(7)])
    seen, cursor = [], None
    for _ in range(4):
        page = await records.page(EventFilter(), 2, cursor)
        seen += page.items
        cursor = page.next_cursor
    assert seen == [event(number) for number in reversed(range(7))]
    assert cursor is None
    with pytest.raises(ValueError, match="cursor"):
        await records.page(EventFilter(), 2, "x")


async def test_filters_and_deletion(database: Database) -> None:
    records = SecurityEvents(database)
    await records.add([event(0), event(2, "token"), event(4, account="b"), event(6)])

    async def found(**wanted: object) -> list[str]:
        page = await records.page(EventFilter(**wanted))  # type: ignore[arg-type]
        return [each.event_id for each in page.items]

    assert await found(kind="token") == ["0002"]
    assert await found(accounts={"b", "c"}) == ["0004"]
    assert await found(accounts=set()) == []
    assert await found(since=MONDAY + HOUR, until=MONDAY + 2 * HOUR) == ["0002"]
    assert await records.delete_older_than(MONDAY + 2 * HOUR) == 2
    assert await found() == ["0006", "0004"]


async def test_looks_are_counted_for_each_login_order_day_and_way(database: Database) -> None:
    records = Lookups(database)
    look = Look("S-1", MONDAY.date(), "usr_1", "page")
    other = look._replace(how="api")
    await records.add({look: Times(MONDAY, MONDAY, 1)})
    await records.add(
        {
            look: Times(MONDAY + HOUR, MONDAY + 2 * HOUR, 3),
            other: Times(MONDAY, MONDAY, 1),
            look._replace(sp_id="S-2"): Times(MONDAY, MONDAY, 1),
        }
    )
    assert await records.of("S-1") == (
        (look, Times(MONDAY, MONDAY + 2 * HOUR, 4)),
        (other, Times(MONDAY, MONDAY, 1)),
    )
    assert await records.delete_older_than(MONDAY) == 0
    assert await records.delete_older_than(MONDAY + timedelta(days=9)) == 3
    assert await records.of("S-1") == ()
