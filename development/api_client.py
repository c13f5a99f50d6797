"""The API as somebody calls it: the sample data and the demonstration are made by it, like everything else."""

import asyncio
import json
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

PATIENCE = 60.0
"""Seconds for an answer, and for what is away just now to come back."""
PAUSE = 0.5
"""Seconds before a call comes again."""

Credentials = dict[str, Any]
"""Tokens by role, those of partners below `partners`, as `dev.py` writes them (docs/contract.md)."""


class CallFailed(Exception):
    """The API did not take a call; the text says which, and what it answered."""


class Api:
    """The API at an address, called with the tokens of these credentials."""

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
        """A call as the shop, the warehouse, operations, accounting, or a partner. `file` is sent as a form.

        While the answer is that something is away (503), the call comes again with the same Idempotency-Key.

        Raises:
            CallFailed: an error was answered.
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
            said = answer.text[:400]
            raise CallFailed(f"{who} {method} {path}: {answer.status_code} {said}")
        return answer

    async def get(self, who: str, path: str) -> Any:
        """What a GET answers."""
        return (await self.call(who, "GET", path)).json()

    async def post(self, who: str, path: str, body: Any) -> Any:
        """What a POST answers."""
        return (await self.call(who, "POST", path, body)).json()


def read_credentials(file: Path) -> Credentials:
    """The credentials that `dev.py` wrote."""
    known: Credentials = json.loads(file.read_text(encoding="utf-8"))
    return known
