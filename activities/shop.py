"""Tells the shop what happened to an order: by a webhook, a mail, both or neither, as the settings say."""

import asyncio
from collections import OrderedDict

from temporalio import activity

from activities.failures import without_contents
from activities.http_receiver import HttpReceiver
from activities.sending import given_up, send_from_activity
from contracts import activities
from domain.orders.outgoing import ShopNotice
from mail.order_texts import OrderTexts
from mail.outbox import Outbox, OutgoingMail
from mail.texts import Reader
from settings import Settings

_REMEMBERED = 1000
READER = Reader("", "de", staff=True)
"""The shop reads German."""


class ShopActivities:
    """The activity that notifies the shop: it uses `shop_webhook_url`, `shop_webhook_token` and `shop_email`."""

    def __init__(self, settings: Settings, outbox: Outbox) -> None:
        url = settings.shop_webhook_url
        self._receiver = HttpReceiver("Shop", url, settings.shop_webhook_token) if url else None
        self._address = settings.shop_email
        self._outbox = outbox
        self._texts = OrderTexts(settings.public_url)
        # While the mail is retried, the webhook is not called again. After a restart it may be, with the same key.
        self._posted: OrderedDict[str, None] = OrderedDict()

    @activity.defn(name=activities.NOTIFY_SHOP)
    async def notify_shop(self, notice: ShopNotice) -> None:
        """Send a notice by the webhook with its idempotency key, and by mail, once.

        Failures are retried, except `activities.MAIL_GIVEN_UP` after five days of refusals. They contain only the
        notice's key and the answer's status.
        """
        with without_contents(f"shop notice {notice.key}"):
            # Concurrently, so that neither waits for the other or fails with it.
            results = await asyncio.gather(
                self._post(notice), self._mail(notice), return_exceptions=True
            )
            for failure in filter(None, results):
                raise failure

    async def _post(self, notice: ShopNotice) -> None:
        if self._receiver is None or notice.key in self._posted:
            return
        what = f"shop notice {notice.key}"
        await self._receiver.post(what, notice.key, notice.model_dump_json(exclude={"type"}))
        self._posted[notice.key] = None
        if len(self._posted) > _REMEMBERED:
            self._posted.popitem(last=False)

    async def _mail(self, notice: ShopNotice) -> None:
        if self._address is None:
            return
        sent = await send_from_activity(
            self._outbox,
            OutgoingMail(
                notice.key,
                notice.sp_id,
                notice.kind,
                "shop",
                self._address,
                READER,
                lambda: self._texts.compose_shop_notice(notice, READER),
            ),
        )
        if sent.state == "given_up":
            raise given_up(sent)
