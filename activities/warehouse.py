"""Asks the warehouse to ship: over HTTP, or by a file where none is configured."""

import asyncio
import ssl
from datetime import timedelta
from http import HTTPStatus

import httpx
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.failures import without_contents
from activities.files import write_whole
from contracts import activities
from domain.orders.effects import ShippingRequest
from settings import Settings

_TIMEOUT = 10  # seconds, for each step of the exchange
_MENDED_BY_A_HUMAN = timedelta(minutes=10)
# Client errors that pass by themselves; all others mean that one of the two sides has to be mended.
_PASSING = (
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
)


class WarehouseActivities:
    """The warehouse as `settings` name it: `warehouse_url`, `warehouse_token`, `warehouse_dir`."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.warehouse_url
        self._token = settings.warehouse_token
        self._directory = settings.warehouse_dir
        self._tls = ssl.create_default_context() if self._url else False

    @activity.defn(name=activities.REQUEST_SHIPPING)
    async def request_shipping(self, request: ShippingRequest) -> None:
        """Hand the request over under its key, with which twice is once.

        Raises only what is worth another attempt; nothing of the request but its key, and nothing of the answer but
        its status, is in the error.
        """
        with without_contents(f"shipping request {request.key}"):
            if self._url is None:
                await asyncio.to_thread(self._write, request)
            else:
                await self._post(self._url, request)

    def _write(self, request: ShippingRequest) -> None:
        path = self._directory / f"{request.key}.json"
        if not path.exists():
            text = request.model_dump_json(indent=2, exclude={"type"}) + "\n"
            write_whole(path, text.encode())

    async def _post(self, url: str, request: ShippingRequest) -> None:
        headers = {"Idempotency-Key": request.key, "Content-Type": "application/json"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        async with httpx.AsyncClient(timeout=_TIMEOUT, verify=self._tls) as client:
            response = await client.post(
                url, content=request.model_dump_json(exclude={"type"}), headers=headers
            )
        status = response.status_code
        if response.is_success or status == HTTPStatus.CONFLICT:
            return
        lasting = response.is_client_error and status not in _PASSING
        raise ApplicationError(
            f"shipping request {request.key}: the warehouse answered {status}",
            type="WarehouseRefused" if lasting else "WarehouseUnavailable",
            next_retry_delay=_MENDED_BY_A_HUMAN if lasting else None,
            category=ApplicationErrorCategory.BENIGN,
        )
