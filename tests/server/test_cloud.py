"""Temporal as in Temporal Cloud: an API key from a profile, namespaces of others, and rate limits."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from development.embedded import ROOT, free_port
from domain.orders.order import Status
from temporal.connection import Refused, connect
from tests.server.surroundings import Surroundings, eventually, surroundings
from tests.support.builders import placement
from tests.support.grpc_proxy import Cloud, grpc_proxy
from tests.support.processes import Process
from tests.support.tls import Authority
from use_cases.accounts import Accounts

KEY = "key-of-the-order-desk"


def _profile(folder: Path, port: int, key: str, namespace: str, authority: Authority) -> Path:
    path = folder / f"{key}.{namespace}.toml"
    path.write_text(
        f"""[profile.order-desk]
address = "127.0.0.1:{port}"
namespace = "{namespace}"
api_key = "{key}"
[profile.order-desk.tls]
server_ca_cert_path = "{authority.certificate}"
"""
    )
    return path


@asynccontextmanager
async def _web(
    around: Surroundings, env: dict[str, str]
) -> AsyncIterator[tuple[Process, httpx.AsyncClient]]:
    """A web process, and a client of it with a token of the shop."""
    accounts = Accounts(around.database, around.settings)
    _, token = await accounts.tokens.make("shop", "shop")
    await accounts.close()
    port = free_port()
    web = Process(
        [sys.executable, "-m", "web"],
        {**env, "CMI_HTTP_PORT": str(port), "PYTHONPATH": str(ROOT)},
        around.folder / "web.log",
    )
    web.start()
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
        ) as shop:

            async def up() -> bool:
                try:
                    return (await shop.get("/healthz")).is_success
                except httpx.TransportError:
                    return False

            await eventually(up)
            yield web, shop
    finally:
        web.kill()


async def test_an_api_key_from_a_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority, port = Authority(tmp_path, "authority"), free_port()
    cloud = Cloud(api_key=KEY, namespace="default")
    good = _profile(tmp_path, port, KEY, "default", authority)
    chosen = {"TEMPORAL_CONFIG_FILE": str(good), "TEMPORAL_PROFILE": "order-desk"}
    async with surroundings(tmp_path, **chosen) as around:
        del around.env["TEMPORAL_ADDRESS"]  # the profile has it
        monkeypatch.setenv("TEMPORAL_PROFILE", "order-desk")
        async with grpc_proxy(port, around.address, cloud, authority.issue("server")):
            for key, namespace, named in (
                ("of-somebody-else", "default", "TEMPORAL_API_KEY"),
                (KEY, "of-others", "TEMPORAL_NAMESPACE"),
            ):
                wrong = _profile(tmp_path, port, key, namespace, authority)
                monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(wrong))
                with pytest.raises(Refused, match=rf"^{named}: ") as refused:
                    await connect(around.settings)
                assert key not in str(refused.value)

            wrong = _profile(tmp_path, port, "of-somebody-else", "default", authority)
            async with _web(around, {**around.env, "TEMPORAL_CONFIG_FILE": str(wrong)}) as (
                web,
                shop,
            ):
                body = placement(sp_id="SP-1").model_dump(mode="json")
                assert (await shop.post("/api/v1/orders", json=body)).status_code == 503
                assert (await shop.get("/readyz")).json()["temporal"] == "away"
                assert "TEMPORAL_API_KEY" in web.text
                assert "of-somebody-else" not in web.text

            await around.start_worker_process()
            await around.reaches(await around.place("SP-1"), Status.NEW)


async def test_a_rate_limit_is_a_503_until_it_is_over(tmp_path: Path) -> None:
    port, cloud = free_port(), Cloud()
    async with (
        surroundings(tmp_path, shared=True, TEMPORAL_ADDRESS=f"127.0.0.1:{port}") as around,
        grpc_proxy(port, around.address, cloud, None),
        _web(around, around.env) as (_, shop),
    ):
        body = placement(sp_id="SP-1").model_dump(mode="json")
        cloud.limits = lambda method: method != "GetSystemInfo"
        refused = await shop.post("/api/v1/orders", json=body)
        assert refused.status_code == 503
        assert int(refused.headers["Retry-After"]) > 0
        assert "StartWorkflowExecution" in cloud.refused
        assert await around.orders.get("SP-1") is None

        # Limited twice in what it answers, a worker answers again.
        cloud.limits = lambda method: (
            method == "RespondWorkflowTaskCompleted" and cloud.refused.count(method) < 2
        )
        cloud.refused.clear()
        await around.start_worker_process()
        assert (await shop.post("/api/v1/orders", json=body)).is_success

        async def transmitted() -> bool:
            stored = await around.orders.get("SP-1")
            return stored is not None and stored.order.status is Status.NEW

        await eventually(transmitted)
        assert cloud.refused.count("RespondWorkflowTaskCompleted") == 2
