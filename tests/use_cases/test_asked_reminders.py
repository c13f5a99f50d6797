"""Reminders that operations ask for: what waits for a partner, and mails that go out once, whatever fails meanwhile."""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

import pytest

from contracts.activities import Snapshot
from domain.orders.commands import LogContact
from domain.orders.order import Order
from mail.smtp import NotSent
from records.orders import Orders
from tests.support.builders import (
    ACCEPTED,
    AGREED,
    COMPLETED,
    MONDAY,
    REQUIREMENTS_MET,
    TRANSMITTED,
    Step,
    lived,
)
from tests.use_cases.conftest import AccountsEnv, text_of
from use_cases.access import Forbidden
from use_cases.asked_reminders import AskedReminderUseCases, waits_for_partner
from use_cases.principal import Principal

ANNA = Principal(role="operations", login_id="usr_1", name="Anna")


async def keep(env: AccountsEnv, sp_id: str, *steps: Step, **changes: str) -> Order:
    order, events = lived(*steps, sp_id=sp_id, **changes)
    await Orders(env.database).save(Snapshot(order=order, events=events))
    return order


@pytest.fixture
def background() -> list[asyncio.Task[int]]:
    """What `reminders` does in the background, for tests to wait for."""
    return []


@pytest.fixture
def reminders(env: AccountsEnv, background: list[asyncio.Task[int]]) -> AskedReminderUseCases:
    accounts = env.accounts
    env.clock.forward(hours=2)  # what `keep` places on Monday morning has been transmitted

    def spawn(work: Coroutine[Any, Any, int]) -> asyncio.Task[int]:
        background.append(accounts.spawn(work))
        return background[-1]

    return AskedReminderUseCases(
        env.database, accounts.outbox, env.settings.public_url, spawn, env.clock
    )


@pytest.mark.parametrize(
    ("steps", "kind"),
    [
        ((), None),  # its partner does not know of it
        (TRANSMITTED, "accept"),
        (ACCEPTED, "check_requirements"),
        (REQUIREMENTS_MET, None),
        (AGREED, None),  # the appointment is still to come
        ((*AGREED, timedelta(days=5)), "confirm_execution"),
        (COMPLETED, None),
    ],
)
def test_what_waits_for_a_partner(steps: tuple[Step, ...], kind: str | None) -> None:
    order, _ = lived(*steps)
    spent = sum((step for step in steps if isinstance(step, timedelta)), timedelta())
    waiting = waits_for_partner(order, MONDAY + spent + timedelta(hours=2))
    assert (waiting.kind if waiting else None) == kind


async def test_a_mail_server_that_is_away(
    env: AccountsEnv,
    reminders: AskedReminderUseCases,
    background: list[asyncio.Task[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The wish is kept, tried again, and comes true once; what it says is how things are then."""
    await keep(env, "SP-1", *TRANSMITTED)
    await keep(env, "SP-2", *TRANSMITTED)
    tried = 0

    async def away(*_: object, **__: object) -> None:
        nonlocal tried
        tried += 1
        raise NotSent("away")

    with monkeypatch.context() as patch:
        patch.setattr(env.accounts.outbox, "send", away)
        done = await reminders.remind(ANNA, ["SP-1", "SP-2"], "request-1")
        assert [each.outcome for each in done.values()] == ["asked", "asked"]
        await asyncio.gather(*background)
        assert tried == 1
        env.clock.forward(minutes=10)
        await reminders.send_due()
        assert tried == 2
    await keep(env, "SP-2", *ACCEPTED, LogContact(outcome="reached"))
    env.clock.forward(minutes=10)
    assert await reminders.send_due() == 1
    env.clock.forward(days=1)
    assert await reminders.send_due() == 0
    (mail,) = env.mails()
    assert "<auftraege@elektro-huber.example>" in mail["To"]
    assert "SP-1" in text_of(mail)
    assert "SP-2" in text_of(mail), "another step of it waits"
    assert "Anforderungen prüfen" in text_of(mail)


async def test_what_is_done_meanwhile_needs_no_mail(
    env: AccountsEnv,
    reminders: AskedReminderUseCases,
    background: list[asyncio.Task[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await keep(env, "SP-1", *TRANSMITTED)

    async def away(*_: object, **__: object) -> None:
        raise NotSent("away")

    with monkeypatch.context() as patch:
        patch.setattr(env.accounts.outbox, "send", away)
        await reminders.remind(ANNA, ["SP-1"], "request-1")
        await asyncio.gather(*background)
    await keep(env, "SP-1", *REQUIREMENTS_MET)
    env.clock.forward(minutes=10)
    assert await reminders.send_due() == 0
    assert env.mails() == []


async def test_only_operations_ask(env: AccountsEnv, reminders: AskedReminderUseCases) -> None:
    for role in ("partner", "accounting", "shop", "warehouse"):
        caller = Principal(role=role, login_id="usr_2", name="x")  # type: ignore[arg-type]
        with pytest.raises(Forbidden):
            await reminders.remind(caller, ["SP-1"], "request-1")
