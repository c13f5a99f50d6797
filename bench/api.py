"""What the HTTP API adds: one update by the API against the same update by a client of Temporal, by turns."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import uuid4

import httpx

from bench.report import keep, milliseconds, percentile, table
from bench.stage import Stage, stage
from development.embedded import Child, free_port
from domain.actors import Actor
from domain.orders.commands import LogContact, Request
from records.database import Database
from settings import Settings
from temporal import orders
from tests.builders import placement
from use_cases.accounts import Accounts

PARTNER = "elektro-huber"
CONTACTS = 12
"""So many contacts are logged with each order by each way."""
POLICY = '[transmission]\nhold = "0 seconds"\n'


async def run(number: int) -> None:
    """`number` orders, on which contacts are logged by turns by the API and by the client."""
    async with stage() as made:
        (made.folder / "policy.toml").write_text(POLICY)
        port = free_port()
        env = made.env | {
            "CMI_POLICY": str(made.folder / "policy.toml"),
            "CMI_HTTP_PORT": str(port),
        }
        web = Child("web", [sys.executable, "-m", "web"], env, made.folder / "logs" / "web.log")
        await web.start()
        try:
            async with (
                made.product(),
                httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as http,
            ):
                samples = await _measure(made, http, number)
        finally:
            await web.stop()
    rows: list[tuple[object, ...]] = []
    figures: dict[str, dict[str, float]] = {}
    for name, seconds in samples.items():
        p50, p95 = (milliseconds(percentile(seconds, share)) for share in (0.5, 0.95))
        figures[name] = {"updates": len(seconds), "p50": p50, "p95": p95}
        rows.append((name, len(seconds), p50, p95))
    ratios = {
        share: figures["API"][share] / figures["client of Temporal"][share]
        for share in ("p50", "p95")
    }
    rows.append(("ratio", "", f"{ratios['p50']:.2f}", f"{ratios['p95']:.2f}"))
    table("Milliseconds until one update is answered", ["", "updates", "p50", "p95"], rows)
    keep("api", {**figures, "ratio": ratios}, orders=number)


async def _measure(made: Stage, http: httpx.AsyncClient, number: int) -> dict[str, list[float]]:
    settings = Settings.from_env(made.env)
    database = Database(settings.database_url)
    accounts = Accounts(database, settings)
    _, shop_token = await accounts.tokens.make("shop", "bench")
    _, partner_token = await accounts.tokens.make("partner", "bench", PARTNER)
    shop = {"Authorization": f"Bearer {shop_token}"}
    partner = {"Authorization": f"Bearer {partner_token}"}
    await accounts.close()
    await database.close()
    await _until(lambda: _is_up(http))
    sp_ids = [f"SP-{n}" for n in range(number)]
    for sp_id in sp_ids:
        body = placement(sp_id=sp_id).model_dump(mode="json")
        (await http.post("/api/v1/orders", json=body, headers=shop)).raise_for_status()
    for sp_id in sp_ids:
        path = f"/api/v1/orders/{sp_id}/accept"

        async def accepted(path: str = path) -> bool:
            return (await http.post(path, json={}, headers=partner)).is_success

        await _until(accepted)
    actor = Actor(role="partner", name="bench", partner_id=PARTNER)
    command = LogContact(outcome="not_reached", note="besetzt")

    async def by_api(sp_id: str) -> None:
        answer = await http.post(
            f"/api/v1/orders/{sp_id}/contacts",
            json={"outcome": command.outcome, "note": command.note},
            headers=partner,
        )
        answer.raise_for_status()

    async def by_client(sp_id: str) -> None:
        request = Request(command=command, actor=actor, request_id=str(uuid4()))
        await orders.send_command(made.client, sp_id, request, timedelta(seconds=30))

    ways = {"client of Temporal": by_client, "API": by_api}
    samples: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(CONTACTS + 1):
        for name, way in ways.items():
            seconds = [await _timed(way, sp_id) for sp_id in sp_ids]
            if turn:  # the first one warms everything up
                samples[name] += seconds
    return samples


async def _timed(way: Callable[[str], Awaitable[None]], sp_id: str) -> float:
    begun = time.perf_counter()
    await way(sp_id)
    return time.perf_counter() - begun


async def _is_up(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/readyz")).is_success
    except httpx.TransportError:
        return False


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await holds():
            await asyncio.sleep(0.05)
