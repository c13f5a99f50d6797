"""Asks the warehouse to ship goods, or to stop that: over HTTP, or by a file if no URL is configured."""

import asyncio
import hashlib
import json
from datetime import datetime
from typing import Any
from urllib.parse import quote

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.failures import without_contents
from activities.http_receiver import HttpReceiver
from contracts import activities
from domain.orders.outgoing import ShippingRequest, ShippingStop
from files.atomic import write_atomically
from records.line_requests import GoodsOfLine, LineRequests
from records.partners import Partners
from settings import Settings

_LONGEST_KEY = 150  # the name of a file has at most 255 bytes


class WarehouseActivities:
    """The activities of the warehouse. They use `warehouse_url`, `warehouse_token` and `warehouse_dir` of the settings.

    The goods of one line of a sales order are requested once, whichever of its orders asks first, and stopped once none
    of its orders needs them any more.
    """

    def __init__(self, settings: Settings, partners: Partners, lines: LineRequests) -> None:
        url = settings.warehouse_url
        self._receiver = HttpReceiver("Warehouse", url, settings.warehouse_token) if url else None
        self._directory = settings.warehouse_dir
        self._partners = partners
        self._lines = lines

    @activity.defn(name=activities.REQUEST_SHIPPING)
    async def request_shipping(self, request: ShippingRequest) -> None:
        """Send the request with its idempotency key, unless the goods of its line are requested already.

        All failures are retried. They contain only the request's key and the answer's status.
        """
        with without_contents(f"shipping request {request.sp_id}-{request.attempt}"):
            if request.sales_order_line is None:
                await self._ship(request, request.key)
                return
            goods = GoodsOfLine(request.sales_order_id, request.sales_order_line, request.attempt)
            claim = await self._lines.claim(goods, request.sp_id, _now())
            if not claim.is_sent:
                await self._ship(request, _line_key(goods, claim.round))
                await self._lines.mark_sent(goods, claim.round, _now())

    @activity.defn(name=activities.STOP_SHIPPING)
    async def stop_shipping(self, stop: ShippingStop) -> None:
        """Send the stop, unless another order of the line still needs the goods. Failures as `request_shipping`."""
        with without_contents(f"shipping stop {stop.key}"):
            body = stop.model_dump(mode="json", exclude={"type"})
            if stop.sales_order_line is not None:
                line = (stop.sales_order_id, stop.sales_order_line)
                stopped = await self._lines.withdraw(*line, stop.sp_id, stop.key)
                if stopped is None:
                    return
                goods = GoodsOfLine(*line, stopped.attempt)
                body |= {
                    "request_key": _line_key(goods, stopped.round),
                    "attempt": stopped.attempt,
                }
            await self._send("stop", stop.key, body)

    async def _ship(self, request: ShippingRequest, key: str) -> None:
        body = request.model_dump(mode="json", exclude={"type"}) | {"key": key}
        if request.deliver_to == "partner":
            body |= await self._address_of(request)
        await self._send("ship", key, body)

    async def _address_of(self, request: ShippingRequest) -> dict[str, str]:
        """The address of the partner to whom the goods go, as it is now."""
        known = request.partner_id and await self._partners.get(request.partner_id)
        if not known:
            raise ApplicationError(
                f"shipping request {request.sp_id}-{request.attempt}: its partner is not in the records",
                type="PartnerUnknown",
            )
        return {
            "recipient": known.name,
            "street": known.street,
            "postal_code": known.postal_code,
            "city": known.city,
            "phone": known.phone,
        }

    async def _send(self, action: str, key: str, body: dict[str, Any]) -> None:
        body = {"action": action, **body}
        if self._receiver is None:
            text = json.dumps(body, ensure_ascii=False, indent=2) + "\n"
            await asyncio.to_thread(self._write, key, text)
        else:
            what = f"shipping request {key}" if action == "ship" else f"shipping stop {key}"
            await self._receiver.post(what, key, json.dumps(body, ensure_ascii=False))

    def _write(self, key: str, text: str) -> None:
        path = self._directory / f"{key}.json"
        if not path.exists():
            write_atomically(path, text.encode(), readable_by="group")


def _line_key(goods: GoodsOfLine, round: int) -> str:
    """The key of the request for a line's goods, fit for a header and the name of a file.

    After a stop a new request needs another key.
    """
    # The separator is encoded inside the parts, so that two lines never have the same key.
    order, line = (
        quote(part, safe="").replace("-", "%2D") for part in (goods.sales_order_id, goods.line)
    )
    key = f"{order}-{line}-{goods.attempt}"
    if len(key) > _LONGEST_KEY:
        key = f"{key[:_LONGEST_KEY]}.{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    return key if round == 1 else f"{key}.{round}"


def _now() -> datetime:
    return activity.info().started_time
