"""Compares an update by the HTTP API with the same update by a client of Temporal."""

import time
from datetime import timedelta
from uuid import uuid4

import httpx

from bench.report import keep, milliseconds, percentile, table
from bench.stage import running_product, running_web
from domain.orders.commands import LogContact
from domain.orders.request import Request
from temporal import orders
from tests.server.surroundings import Surroundings, eventually
from tests.support.builders import partner_actor, placement
from use_cases.accounts import Accounts

CONTACTS = 12
"""The number of contacts that are logged for each order in each way."""


async def run(number: int) -> None:
    """Log contacts for `number` orders, alternately by the API and by the client."""
    async with running_product() as around, running_web(around) as http:
        samples = await _measure(around, http, number)
    figures: dict[str, dict[str, float]] = {
        name: {
            "updates": len(seconds),
            "p50": milliseconds(percentile(seconds, 0.5)),
            "p95": milliseconds(percentile(seconds, 0.95)),
        }
        for name, seconds in samples.items()
    }
    api, client = figures["API"], figures["client of Temporal"]
    figures["ratio"] = {share: api[share] / client[share] for share in ("p50", "p95")}
    table(
        "Milliseconds until one update is answered",
        ["", "updates", "p50", "p95"],
        [(name, f.get("updates"), f["p50"], f["p95"]) for name, f in figures.items()],
    )
    keep("api", figures, orders=number)


async def _measure(
    around: Surroundings, http: httpx.AsyncClient, number: int
) -> dict[str, list[float]]:
    """Seconds of each update, for each of the two ways."""
    shop, partner = await _authorizations(around)
    sp_ids = [f"SP-{n}" for n in range(number)]
    for sp_id in sp_ids:
        body = placement(sp_id=sp_id).model_dump(mode="json")
        (await http.post("/api/v1/orders", json=body, headers=shop)).raise_for_status()
    for sp_id in sp_ids:

        async def accepted(path: str = f"/api/v1/orders/{sp_id}/accept") -> bool:
            return (await http.post(path, json={}, headers=partner)).is_success

        await eventually(accepted)
    command = LogContact(outcome="not_reached", note="besetzt")

    async def by_api(sp_id: str) -> None:
        body = {"outcome": command.outcome, "note": command.note}
        path = f"/api/v1/orders/{sp_id}/contacts"
        (await http.post(path, json=body, headers=partner)).raise_for_status()

    async def by_client(sp_id: str) -> None:
        request = Request(command=command, actor=partner_actor(), request_id=str(uuid4()))
        await orders.send_command(around.client, sp_id, request, timedelta(seconds=30))

    ways = {"client of Temporal": by_client, "API": by_api}
    samples: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(CONTACTS + 1):
        for name, way in ways.items():
            for sp_id in sp_ids:
                began = time.perf_counter()
                await way(sp_id)
                if turn:  # the first turn warms everything up
                    samples[name].append(time.perf_counter() - began)
    return samples


async def _authorizations(around: Surroundings) -> tuple[dict[str, str], dict[str, str]]:
    """The headers with which the shop and the orders' partner call the API."""
    accounts = Accounts(around.database, around.settings)
    _, shop = await accounts.tokens.make("shop", "bench")
    _, partner = await accounts.tokens.make("partner", "bench", placement().partner_id)
    await accounts.close()
    return {"Authorization": f"Bearer {shop}"}, {"Authorization": f"Bearer {partner}"}
