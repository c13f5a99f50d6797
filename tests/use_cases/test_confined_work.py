"""Confined work: one partner's files that take long leave the other partners a turn."""

import asyncio

import pytest

from domain.errors import InvalidCommand
from domain.orders.photos import Picture
from use_cases.confined_work import AT_ONCE, ConfinedWork, NotNow


async def test_a_partner_has_one_turn_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("use_cases.confined_work.TURN_SECONDS", 0.05)
    running, ends = list[bytes](), asyncio.Event()

    async def slow_and_unreadable(content: bytes) -> Picture:
        running.append(content)
        await ends.wait()
        raise InvalidCommand("photo", "photo_unreadable")

    monkeypatch.setattr("use_cases.confined_work.new_picture", slow_and_unreadable)
    work = ConfinedWork(clamd=None)

    async def send(partner_id: str) -> type[Exception]:
        with pytest.raises((InvalidCommand, NotNow)) as refused:
            await work.picture(partner_id.encode(), partner_id)
        return refused.type

    first = asyncio.create_task(send("elektro-huber"))
    assert await asyncio.gather(*(send("elektro-huber") for _ in range(AT_ONCE + 1))) == [
        NotNow
    ] * (AT_ONCE + 1)
    other = asyncio.create_task(send("luzern-montage"))
    while len(running) < AT_ONCE:
        await asyncio.sleep(0)
    assert running == [b"elektro-huber", b"luzern-montage"]
    ends.set()
    assert await asyncio.gather(first, other) == [InvalidCommand] * 2
    assert await send("elektro-huber") is InvalidCommand, "its turn is over"
