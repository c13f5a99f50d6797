"""Sends shipping requests to the warehouse: over HTTP, or as a file if no URL is configured."""

import asyncio
import ssl
from datetime import timedelta
from http import HTTPStatus

import httpx
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.atomic_files import write_atomically
from activities.failures import without_contents
from contracts import activities
from domain.orders.outgoing import ShippingRequest
from settings import Settings

_TIMEOUT = 10  # seconds, for each step of the exchange
_REPAIRED_BY_PEOPLE = timedelta(minutes=10)
# Client errors that a retry can solve. All others have to be repaired by people on one of the two sides.
_PASSING = (
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
)


class WarehouseActivities:
    """The activity of the warehouse. It uses `warehouse_url`, `warehouse_token` and `warehouse_dir` of the settings."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.warehouse_url
        self._token = settings.warehouse_token
        self._directory = settings.warehouse_dir
        self._tls = ssl.create_default_context() if self._url else False

    @activity.defn(name=activities.REQUEST_SHIPPING)
    async def request_shipping(self, request: ShippingRequest) -> None:
        """Send the request with its idempotency key.

        All failures are retried. They contain only the request's key and the answer's status.
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
            write_atomically(path, text.encode())

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
            next_retry_delay=_REPAIRED_BY_PEOPLE if lasting else None,
            category=ApplicationErrorCategory.BENIGN,
        )
