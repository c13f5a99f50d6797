"""Temporal behind TLS that asks for client certificates: web and worker connect by the standard variables."""

import re
import sys
import time
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from development.embedded import ROOT, free_port
from domain.orders.order import Status
from temporal.connection import NoConnection, connect
from tests.server.surroundings import eventually, surroundings
from tests.support.processes import Process
from tests.support.tls import Authority, Pair, tls_proxy


def _variables(port: int, authority: Authority, client: Pair | None) -> dict[str, str]:
    own = {
        "TEMPORAL_ADDRESS": f"127.0.0.1:{port}",
        "TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(authority.certificate),
    }
    if client is not None:
        own["TEMPORAL_TLS_CLIENT_CERT_PATH"] = str(client.certificate)
        own["TEMPORAL_TLS_CLIENT_KEY_PATH"] = str(client.key)
    return own


async def test_web_and_worker_with_client_certificates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, strangers = Authority(tmp_path, "authority"), Authority(tmp_path, "strangers")
    port = free_port()
    variables = _variables(port, authority, authority.issue("cmi"))
    async with surroundings(tmp_path, shared=True, **variables) as around:
        temporal = int(around.address.rpartition(":")[2])
        async with tls_proxy(port, temporal, authority.issue("server"), authority):
            wrong = {
                "no certificate": _variables(port, authority, None),
                "of another authority": _variables(port, authority, strangers.issue("stranger")),
                "another server": _variables(port, strangers, authority.issue("other")),
                "no TLS": {"TEMPORAL_ADDRESS": f"127.0.0.1:{port}"},
            }
            for given in wrong.values():
                with monkeypatch.context() as patch:
                    for name, value in given.items():
                        patch.setenv(name, value)
                    with pytest.raises(NoConnection):
                        await connect(around.settings)

            web_port, metrics_port = free_port(), free_port()
            web = Process(
                [sys.executable, "-m", "web"],
                {
                    **around.env,
                    "CMI_HTTP_PORT": str(web_port),
                    "CMI_METRICS_ADDRESS": str(metrics_port),
                    "PYTHONPATH": str(ROOT),
                },
                tmp_path / "web.log",
            )
            web.start()
            try:
                await around.start_worker_process()
                await around.reaches(await around.place("SP-1"), Status.NEW)
                async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{web_port}") as nobody:

                    async def ready() -> bool:
                        try:
                            return (await nobody.get("/readyz")).status_code == 200
                        except httpx.TransportError:
                            return False

                    await eventually(ready)
                    shown = await nobody.get(f"http://127.0.0.1:{metrics_port}/metrics")
                ends = re.findall(
                    r'^cmi_certificate_end.*{certificate="(\w+)"} (\S+)$', shown.text, re.M
                )
                assert [name for name, _ in ends] == ["temporal_authority", "temporal_client"]
                for _, end in ends:
                    assert timedelta() < timedelta(seconds=float(end) - time.time()) <= timedelta(1)
            finally:
                web.kill()
