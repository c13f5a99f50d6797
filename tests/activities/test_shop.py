"""Notices reach the shop by its webhook, by mail, by both or by neither."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.shop import ShopActivities
from domain.orders.commands import Cancel, RejectRequirements
from domain.orders.effects import effects
from domain.orders.lifecycle import begin
from domain.orders.outgoing import ShopNotice
from mail.outbox import Outbox
from mail.smtp import SmtpSender
from records.mails import MailLog
from settings import Settings
from tests.activities.mail_office import body, data
from tests.activities.servers import MailServer
from tests.activities.test_warehouse import Warehouse, warehouse_server
from tests.support.builders import ACCEPTED, MONDAY, OPERATIONS, Step, intake, lived


@pytest.fixture
def webhook() -> Iterator[Warehouse]:
    """The shop's HTTP server."""
    yield from warehouse_server()


def notices(*steps: Step) -> list[ShopNotice]:
    start = intake().model_copy(update={"rules": 2})
    _, events = lived(*steps, of=start)
    return [e for e in effects(begin(start), events) if isinstance(e, ShopNotice)]


[REJECTED] = notices(
    *ACCEPTED, RejectRequirements(reason="no_connection", note="Kein <Hahn>\nim Keller")
)
[CANCELLED] = notices(*ACCEPTED, (Cancel(reason="Kundschaft verreist"), OPERATIONS))


class Shop:
    """The activity over a mail server and a webhook."""

    def __init__(self, log: MailLog, server: MailServer, **settings: Any) -> None:
        chosen = Settings(smtp_url=f"smtp://127.0.0.1:{server.port}", **settings)
        self.activities = ShopActivities(chosen, Outbox(log, SmtpSender(chosen)))

    async def tell(self, notice: ShopNotice) -> None:
        environment = ActivityEnvironment()
        environment.info = dataclasses.replace(
            environment.info, started_time=MONDAY, scheduled_time=MONDAY
        )
        await environment.run(self.activities.notify_shop, notice)


async def test_without_an_address_nothing_is_sent(log: MailLog, server: MailServer) -> None:
    await Shop(log, server).tell(REJECTED)
    assert not server.received


async def test_a_notice_by_the_webhook(
    log: MailLog, server: MailServer, webhook: Warehouse
) -> None:
    shop = Shop(log, server, shop_webhook_url=webhook.url, shop_webhook_token="t0ken")
    await shop.tell(REJECTED)
    [headers], [sent] = webhook.headers, webhook.bodies
    assert headers["idempotency-key"] == sent["key"] == REJECTED.key
    assert headers["authorization"] == "Bearer t0ken"
    assert sent.pop("at").startswith("2026-10-05T07:3")
    assert sent == {
        "key": REJECTED.key,
        "kind": "requirements_rejected",
        "sp_id": "SP-1048213",
        "sales_order_id": "48392011",
        "status": "under_review",
        "reason": "no_connection",
        "note": "Kein <Hahn>\nim Keller",
    }
    assert not server.received


@pytest.mark.parametrize(("answer", "kind"), [(422, "ShopRefused"), (503, "ShopUnavailable")])
async def test_a_webhook_that_fails_is_called_again(
    log: MailLog, server: MailServer, webhook: Warehouse, answer: int, kind: str
) -> None:
    webhook.answer = answer
    with pytest.raises(ApplicationError) as caught:
        await Shop(log, server, shop_webhook_url=webhook.url).tell(CANCELLED)
    assert caught.value.type == kind
    assert not caught.value.non_retryable
    assert caught.value.message == f"shop notice {CANCELLED.key}: the shop answered {answer}"


async def test_a_notice_by_mail_goes_out_once_in_german(log: MailLog, server: MailServer) -> None:
    shop = Shop(log, server, shop_email="shop@retailer.example")
    for _ in range(2):
        await shop.tell(REJECTED)
    await shop.tell(CANCELLED)
    rejected, cancelled = server.received
    assert rejected["To"] == "shop@retailer.example"
    assert rejected["Subject"] == "SP-1048213: Anforderungen nicht erfüllt"
    text = body(rejected, "plain")
    for part in ("48392011", "In Abklärung", "Kein <Hahn>", "im Keller", "Guten Tag"):
        assert part in text
    assert "Kein &lt;Hahn&gt;" in body(rejected, "html")
    assert "http" not in text  # the shop has no pages here
    assert cancelled["Subject"] == "SP-1048213: Auftrag storniert"
    assert "Kundschaft verreist" in body(cancelled, "plain")


async def test_neither_way_waits_for_the_other(
    log: MailLog, server: MailServer, webhook: Warehouse
) -> None:
    shop = Shop(log, server, shop_webhook_url=webhook.url, shop_email="shop@retailer.example")
    data("451 later")(server)
    for _ in range(2):
        with pytest.raises(ApplicationError):
            await shop.tell(CANCELLED)
    assert len(webhook.bodies) == 1
    data("250 OK")(server)
    webhook.answer = 503
    with pytest.raises(ApplicationError):
        await shop.tell(REJECTED)
    assert len(server.received) == 1
    webhook.answer = 202
    for notice in (REJECTED, CANCELLED):
        await shop.tell(notice)
    assert [each["kind"] for each in webhook.bodies] == [
        "cancelled",
        *["requirements_rejected"] * 2,
    ]
    assert len(server.received) == 2
