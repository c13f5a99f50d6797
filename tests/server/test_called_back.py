"""A mail that lost its sense while it was on its way, and regained it before it was back."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from temporalio import activity

from contracts import activities as activity_names
from contracts import names
from domain.cantons import pin_calendar
from domain.orders.commands import Reassign
from domain.orders.order import Status
from domain.orders.outgoing import Mail
from tests.server.surroundings import eventually, surroundings
from tests.support.builders import assignee
from tests.support.limits import WAIT_LIMIT
from tests.support.workers import bounded_worker
from tests.workflows.life import OPERATIONS, Life
from tests.workflows.outside import Outside
from workflows.service_order import ServiceOrder


class SlowToGeneva(Outside):
    """An outside whose first mail to a partner in Geneva fails after a long time."""

    def __init__(self) -> None:
        super().__init__()
        self.sending = asyncio.Event()
        self.let_go = asyncio.Event()

    @activity.defn(name=activity_names.SEND_MAIL)
    async def send_mail(self, mail: Mail) -> None:
        if mail.partner_id == "geneve-pose" and not self.let_go.is_set():
            self.sending.set()
            await self.let_go.wait()
            raise ConnectionError("the mail server is away")
        await super().send_mail(mail)


async def test_an_order_that_comes_back_to_a_partner_who_was_not_told_yet(tmp_path: Path) -> None:
    outside = SlowToGeneva()
    async with (
        surroundings(tmp_path, shared=True) as around,
        bounded_worker(
            around.client,
            task_queue=names.ORDERS_QUEUE,
            workflows=[ServiceOrder],
            activities=outside.activities,
        ),
    ):
        life = await around.place("SP-1")
        await eventually(lambda: outside.kinds() == ["new_order"])
        await eventually(lambda: is_new(life))

        async def reassign(partner_id: str, canton: str) -> None:
            calendar = pin_calendar(canton, around.policy, datetime.now(UTC).date())
            partner = assignee(partner_id, canton)
            command = Reassign(partner=partner, calendar=calendar, reason="Ferien")
            await life.do(command, OPERATIONS)

        await reassign("geneve-pose", "GE")
        await asyncio.wait_for(outside.sending.wait(), WAIT_LIMIT)
        await reassign("luzern-montage", "LU")
        await eventually(lambda: called_back(life))
        await reassign("geneve-pose", "GE")
        outside.let_go.set()
        await eventually(lambda: len(outside.mails) == 7)
        assert [m.kind for m in outside.mails if m.partner_id == "geneve-pose"] == [
            "new_order",
            "reassigned",
            "new_order",
        ]
        assert (await life.order()).partner.partner_id == "geneve-pose"
        assert "mail_undelivered" not in await life.events()


async def is_new(life: Life) -> bool:
    """Whether the partner has it before him."""
    return (await life.order()).status is Status.NEW


async def called_back(life: Life) -> bool:
    """Whether a mail under way was called back."""
    history = await life.handle.fetch_history()
    return any(
        event.HasField("activity_task_cancel_requested_event_attributes")
        for event in history.events
    )
