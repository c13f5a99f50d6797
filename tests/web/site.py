"""The web application on a real socket over real surroundings, and callers of every role."""

import asyncio
import contextlib
import itertools
import os
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from unittest import mock
from zoneinfo import ZoneInfo

import httpx
import uvicorn
from fastapi import FastAPI
from sqlalchemy import Select, select

from development.embedded import free_port
from records.database import Database
from records.tables import orders, timeline
from settings import Settings
from tests.server.surroundings import Surroundings, eventually
from tests.support.builders import placement
from tests.support.limits import WAIT_LIMIT
from use_cases.accounts import Accounts
from web.app import create_app

API = "/api/v1"
POLICY = """
[transmission]
hold = "0 seconds"
[escalation]
office_hours_only = false
[protocol]
required = ["install-dryer"]
"""
"""The standard one, but that orders are sent at once, and dryers need a protocol."""
NO_ACCEPT = "no-accept"
"""A policy that partners may have by name: the same without the step "accept"."""
ROLES = ("shop", "warehouse", "operations", "accounting", "partner", "stranger")
"""`partner` is the partner of the orders, `stranger` another partner."""
NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""The site speaks HTTP; to load the certificates of all authorities takes longer than a page."""
_numbers = itertools.count(1_060_000)  # above the numbers of the examples
_sales_orders = itertools.count(50_000_000)


def sp_id() -> str:
    """An SP-ID that no other test uses."""
    return f"SP-{next(_numbers)}"


def sales_order_id() -> str:
    """The number of a sales order without any order. Each look at an order reads all others of its sales order."""
    return str(next(_sales_orders))


def order(**changes: Any) -> dict[str, Any]:
    """The body of `POST /orders`. An order without an SP-ID here gets a new one, and a sales order of its own."""
    if "sp_id" not in changes:
        changes = {"sp_id": sp_id(), "sales_order_id": sales_order_id(), **changes}
    body: dict[str, Any] = placement(**changes).model_dump(mode="json")
    return body


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(settings: Settings, temporal: str) -> AsyncIterator[tuple[FastAPI, str]]:
    """The application on a free port, and its address."""
    port = free_port()
    with mock.patch.dict(os.environ, {"TEMPORAL_ADDRESS": temporal}):
        app = create_app(settings)
        config = uvicorn.Config(
            app,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            http="httptools",
            ws="none",
            timeout_keep_alive=75,  # as in production: a slow test must not find its connection closed
        )
        server = _Server(config)
        running = asyncio.create_task(server.serve())
        await eventually(lambda: server.started or running.done())
    try:
        yield app, f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await running


async def tokens(settings: Settings, database: Database) -> dict[str, str]:
    """A token for each role."""
    accounts = Accounts(database, settings)
    partners = {"partner": "elektro-huber", "stranger": "luzern-montage"}
    made = {}
    for role in ROLES:
        partner_id = partners.get(role)
        _, made[role] = await accounts.tokens.make(
            "partner" if partner_id else role,  # type: ignore[arg-type]
            f"{role}'s software",
            partner_id,
        )
    await accounts.close()
    return made


class Site:
    """The application as callers see it."""

    def __init__(
        self, around: Surroundings, app: FastAPI, address: str, tokens: dict[str, str]
    ) -> None:
        self.around = around
        self.app = app
        self.address = address
        self.tokens = tokens
        self._clients: list[httpx.AsyncClient] = []
        (
            self.shop,
            self.warehouse,
            self.operations,
            self.accounting,
            self.partner,
            self.stranger,
        ) = (self.caller(role) for role in ROLES)
        self.nobody = self.caller(None)

    def caller(self, role: str | None) -> httpx.AsyncClient:
        """Somebody of this role."""
        headers = {"Authorization": f"Bearer {self.tokens[role]}"} if role else {}
        limits = httpx.Limits(max_connections=60)
        client = httpx.AsyncClient(
            base_url=self.address,
            headers=headers,
            timeout=WAIT_LIMIT,
            limits=limits,
            verify=NO_AUTHORITIES,
        )
        self._clients.append(client)
        return client

    async def close(self) -> None:
        """Hang up."""
        for client in self._clients:
            await client.aclose()

    async def place(self, **changes: Any) -> dict[str, Any]:
        """An order, placed."""
        answer = await self.shop.post(f"{API}/orders", json=order(**changes))
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def shown(self, sp_id: str) -> dict[str, Any]:
        """The order as operations see it now."""
        return (await self.operations.get(f"{API}/orders/{sp_id}")).json()

    async def reaches(self, sp_id: str, status: str) -> None:
        """Wait until the records have the order in this state."""
        await self.is_recorded(
            select(orders.c.sp_id).where(orders.c.sp_id == sp_id, orders.c.status == status)
        )

    async def has(self, sp_id: str, event: str) -> None:
        """Wait until the records have an event of this type in the order's timeline."""
        await self.is_recorded(
            select(timeline.c.seq).where(timeline.c.sp_id == sp_id, timeline.c.type == event)
        )

    async def is_recorded(self, row: Select[Any]) -> None:
        """Wait for a row. To ask the API each time would cost ten times as much."""

        async def there() -> bool:
            return await self.around.database.read(
                lambda connection: connection.execute(row).first() is not None
            )

        await eventually(there)

    async def new(self, **changes: Any) -> str:
        """The SP-ID of an order that was sent to its partner."""
        placed = await self.place(**changes)
        await self.reaches(placed["sp_id"], "new")
        return placed["sp_id"]

    async def do(
        self, caller: httpx.AsyncClient, sp_id: str, call: str, body: Any = None, **headers: str
    ) -> dict[str, Any]:
        """A call about an order that must succeed; what it answers."""
        answer = await self.post(caller, sp_id, call, body, **headers)
        assert answer.status_code in (200, 202), answer.text
        return answer.json()

    async def post(
        self, caller: httpx.AsyncClient, sp_id: str, call: str, body: Any = None, **headers: str
    ) -> httpx.Response:
        """A call about an order."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await caller.post(
            f"{API}/orders/{sp_id}/{call}", json={} if body is None else body, headers=named
        )

    async def brought(self, sp_id: str, status: str) -> dict[str, Any]:
        """The order, brought from `new` to this state by the calls that lead there."""
        last: dict[str, Any] = {}
        for call, body, reached in PATH:
            caller = self.warehouse if call.startswith("goods") else self.partner
            last = await self.do(caller, sp_id, call, body() if callable(body) else body)
            await self.reaches(sp_id, reached)
            if call == "goods-received":
                await self.has(sp_id, "goods_received")
            if reached == status and call != "goods-shipped":
                break
        return last


CHECKLIST = {"connections": "yes", "space": "yes", "passages": "not_applicable"}
MET = {"met": True, "checklist": CHECKLIST}


def tomorrow(hour: int = 8, days: int = 1) -> str:
    """An instant in Zürich, as the API reads it."""
    local = datetime.now(ZoneInfo("Europe/Zurich")) + timedelta(days=days)
    return local.replace(hour=hour, minute=0, second=0, microsecond=0).isoformat()


def agreed(days: int = 1, **more: Any) -> dict[str, Any]:
    """An appointment. `unusual` lets it be on a Sunday or a holiday, whatever day the tests run on."""
    return {"start": tomorrow(8, days), "end": tomorrow(10, days), "unusual": True, **more}


PATH: list[tuple[str, Any, str]] = [
    ("accept", {}, "check_requirements"),
    ("requirements", MET, "requirements_met"),
    ("goods-shipped", {"tracking": "99.00.1"}, "set_appointment"),
    ("goods-received", {}, "set_appointment"),
    ("appointment", agreed, "confirm_execution"),
    ("execution", {"executed": True, "early": True}, "completed"),
]


@asynccontextmanager
async def site(around: Surroundings) -> AsyncIterator[Site]:
    """The application over these surroundings."""
    made = await tokens(around.settings, around.database)
    async with serving(around.settings, around.address) as (app, address):
        running = Site(around, app, address, made)
        try:
            yield running
        finally:
            await running.close()
