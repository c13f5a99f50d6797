"""The server itself, by raw sockets: slow requests end, and refused uploads are answered before they are sent."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from development.embedded import free_port
from records.database import Database
from records.token_calls import TokenCalls
from settings import Settings
from tests.server.surroundings import eventually
from tests.support.databases import records_of_a_test
from use_cases.principal import Principal
from web.call_limits import CallLimits
from web.middleware import RequestMiddleware
from web.problems import Problem
from web.server import PatientProtocol, server_config


class Quick(PatientProtocol):
    """With short times."""

    HEADER_SECONDS = 0.5
    PAUSE_SECONDS = 0.5
    BODY_SECONDS = 1.0


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the test run."""
        yield


@asynccontextmanager
async def served(connections: int = 900) -> AsyncIterator[int]:
    app = FastAPI()

    @app.post("/")
    async def echo(body: dict[str, str]) -> dict[str, str]:
        return body

    app.add_middleware(RequestMiddleware)
    port = free_port()
    config = server_config(app, Settings(http_port=port, http_connections=connections))
    assert config.http is PatientProtocol
    config.http = Quick
    server = _Server(config)
    running = asyncio.create_task(server.serve())
    await eventually(lambda: server.started or running.done())
    try:
        yield port
    finally:
        server.should_exit = True
        await running


HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n"


@pytest.mark.parametrize(
    ("first", "drop"),
    [
        (b"", b""),  # a connection that says nothing
        (b"POST / HTTP/1.1\r\n", b"X-A: b\r\n"),  # headers without an end
        (HEAD + b"\r\n", b""),  # a body that does not come
        (HEAD + b"\r\n", b" "),  # one that comes byte by byte
    ],
)
async def test_a_slow_request_loses_its_connection(first: bytes, drop: bytes) -> None:
    async with served() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(first)
        answer = asyncio.create_task(reader.read())
        began = time.monotonic()
        while not answer.done():
            assert time.monotonic() - began < 10, "it is still connected"
            if drop:
                writer.write(drop)
            await asyncio.wait([answer], timeout=0.1)
        assert b"408 Request Timeout" in answer.result()
        writer.close()


async def test_a_request_at_a_usual_pace_is_answered() -> None:
    body = b'{"a": "' + b"x" * 900 + b'"}'
    head = HEAD.replace(b"1000", str(len(body)).encode())
    async with served() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):  # on one connection
            writer.write(head + b"\r\n" + body[:100])
            await writer.drain()
            writer.write(body[100:])
            assert b"200 OK" in await reader.readline()
            await reader.readuntil(b"}")
        writer.close()


async def test_more_connections_than_a_process_holds_are_refused() -> None:
    async with served(connections=3) as port:
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD + b"\r\n")
        assert b"503" in await reader.readline()
        for _, each in [*idle, (reader, writer)]:
            each.close()


def test_a_token_that_calls_too_often_has_to_wait() -> None:
    now = [0.0]
    limits = CallLimits(Settings(partner_calls_per_minute=60), lambda: now[0])
    caller = Principal(role="partner", login_id="tok_1", partner_id="p", name="P")
    other = Principal(role="partner", login_id="tok_2", partner_id="p", name="P")
    for _ in range(60):
        limits.count(caller)
    with pytest.raises(Problem) as refused:
        limits.count(caller)
    assert refused.value.status_code == 429
    assert refused.value.headers == {"Retry-After": "1"}
    limits.count(other)
    now[0] += 1
    limits.count(caller)
    with pytest.raises(Problem):
        limits.count(caller)
    off = CallLimits(Settings(partner_calls_per_minute=0), lambda: now[0])
    for _ in range(10_000):
        off.count(caller)


async def test_the_calls_of_a_token_count_in_all_processes(tmp_path: Path) -> None:
    now = [0.0]
    caller = Principal(role="partner", login_id="tok_1", partner_id="p", name="P")
    async with records_of_a_test(tmp_path) as made:
        database = Database(made.url)
        records = TokenCalls(database)
        one, other = (
            CallLimits(Settings(partner_calls_per_minute=60), lambda: now[0]) for _ in range(2)
        )

        async def call(limits: CallLimits, times: int) -> None:
            for _ in range(times):
                limits.count(caller)
            await limits.share(records)

        await call(one, 1)
        await call(other, 1)
        await call(one, 40)
        await call(other, 10)  # and learns of the 40
        for _ in range(60 - 1 - 1 - 40 - 10):
            other.count(caller)
        with pytest.raises(Problem):
            other.count(caller)
        now[0] += 60  # both are full again, and what the others did long ago counts no more
        await call(other, 30)
        await call(one, 50)
        one.count(caller)
        await database.close()


async def test_a_proxy_that_is_not_trusted_is_logged_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.middleware._warned_of", set())
    async with served() as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        for _ in range(3):
            await client.get("/", headers={"X-Forwarded-For": "203.0.113.9"})
    said = [line for line in caplog.records if "CMI_TRUSTED_PROXIES" in line.getMessage()]
    assert [vars(line)["address"] for line in said] == ["127.0.0.1"]
