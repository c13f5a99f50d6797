"""A client of the HTTP API, for the sample data and the demonstration."""

import asyncio
import json
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

PATIENCE = 60.0
"""Seconds to wait for an answer, and to retry while a dependency is away."""
PAUSE = 0.5
"""Seconds between two attempts of a call."""

Credentials = dict[str, Any]
"""The credentials that `dev.py` writes: tokens by role, those of partners under `partners` (docs/contract.md)."""


class CallFailed(Exception):
    """The API answered a call with an error; the text contains both. `status`: that of the answer."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class Api:
    """Calls the API at an address with the tokens of these credentials."""

    def __init__(self, address: str, credentials: Credentials) -> None:
        self._http = httpx.AsyncClient(base_url=f"{address}/api/v1", timeout=PATIENCE)
        self.credentials = credentials

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def call(
        self, who: str, method: str, path: str, body: Any = None, *, file: bytes | None = None
    ) -> httpx.Response:
        """Call the API as the shop, the warehouse, operations, accounting or a partner. `file` is sent as a form.

        A call that is answered with 503 is repeated with the same Idempotency-Key.

        Raises:
            CallFailed: the answer is an error.
        """
        holder = self.credentials.get(who) or self.credentials["partners"][who]
        form = {"file": ("invoice.pdf", file, "application/pdf")} if file is not None else None
        headers = {"Authorization": f"Bearer {holder['token']}", "Accept-Language": "en"}
        if method == "POST":
            headers["Idempotency-Key"] = str(uuid.uuid4())
        end = time.monotonic() + PATIENCE
        while True:
            answer = await self._http.request(method, path, json=body, files=form, headers=headers)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or time.monotonic() > end:
                break
            await asyncio.sleep(PAUSE)
        if answer.is_error:
            text = answer.text[:400]
            raise CallFailed(
                f"{who} {method} {path}: {answer.status_code} {text}", answer.status_code
            )
        return answer

    async def get(self, who: str, path: str) -> Any:
        """The JSON answer to a GET."""
        return (await self.call(who, "GET", path)).json()

    async def post(self, who: str, path: str, body: Any) -> Any:
        """The JSON answer to a POST."""
        return (await self.call(who, "POST", path, body)).json()


def read_credentials(file: Path) -> Credentials:
    """The credentials that `dev.py` wrote."""
    known: Credentials = json.loads(file.read_text(encoding="utf-8"))
    return known
