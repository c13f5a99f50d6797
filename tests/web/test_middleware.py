"""Around every call: sizes, headers, ids, logs, proxies; and nothing of our inside in an answer."""

import asyncio
import json
import logging
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator

import httpx
import pytest

from development.embedded import ROOT, free_port
from records.orders import Orders
from settings import Settings
from tests.server.surroundings import eventually
from tests.web.site import API, Site, order
from web.call_limits import CallLimits

pytestmark = pytest.mark.asyncio(loop_scope="session")


def ours(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """What we logged; libraries are heard from warnings on (settings/logs.py)."""
    return [
        line
        for line in caplog.records
        if line.name.startswith("cmi") or line.levelno >= logging.WARNING
    ]


async def test_a_body_that_is_too_large(cmi: Site) -> None:
    big = b'{"note": "' + b"x" * (1024 * 1024) + b'"}'

    async def in_pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(big), 65536):
            yield big[start : start + 65536]

    for content in (big, in_pieces()):
        answer = await cmi.shop.post(
            f"{API}/orders", content=content, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 413
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["status"] == 413
    just_below = json.dumps({"note": "x" * 1_000_000})
    answer = await cmi.shop.post(
        f"{API}/orders", content=just_below, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    # The place for invoices takes twenty times as much.
    file = {"file": ("x.pdf", b"x" * 2_000_000)}
    answer = await cmi.partner.post(f"{API}/settlements/V-1/invoice", files=file)
    assert answer.status_code == 404


async def test_headers_that_are_too_large(cmi: Site) -> None:
    """They are refused before anything reads them: also without a token, and on pages."""
    evil = {"Content-Type": "multipart/form-data;" * 12_000, "Idempotency-Key": "k"}
    for caller, path in ((cmi.nobody, f"{API}/orders"), (cmi.shop, "/login")):
        answer = await caller.post(path, content=b"x", headers=evil)
        assert answer.status_code == 431
        assert answer.headers["Content-Type"] == "application/problem+json"
    allowed = {"X-Note": "x" * 12_000}
    assert (await cmi.shop.get(f"{API}/orders", headers=allowed)).status_code == 200


async def test_an_address_that_is_too_long(cmi: Site) -> None:
    """It is refused before it is compared with any route: also without a token, and on pages."""
    for caller, path in (
        (cmi.nobody, f"{API}/orders/{'x' * 17_000}"),
        (cmi.shop, f"/login?next={'x' * 17_000}"),
    ):
        answer = await caller.get(path)
        assert answer.status_code == 414
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert (await cmi.shop.get(f"{API}/orders?q={'x' * 16_000}")).status_code == 422
    assert (await cmi.shop.get(f"{API}/orders/{'x' * 16_000}")).status_code == 404


async def test_headers_that_protect(cmi: Site) -> None:
    for answer in (
        await cmi.partner.get(f"{API}/orders"),
        await cmi.nobody.get(f"{API}/orders"),
        await cmi.nobody.get("/nothing"),
        await cmi.nobody.get("/healthz"),
    ):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Server" not in answer.headers
        assert "Strict-Transport-Security" not in answer.headers  # this was plain http


async def test_a_request_has_an_id(cmi: Site) -> None:
    named = await cmi.partner.get(f"{API}/orders", headers={"X-Request-Id": "call-4711"})
    assert named.headers["X-Request-Id"] == "call-4711"
    made = {(await cmi.partner.get(f"{API}/orders")).headers["X-Request-Id"] for _ in range(3)}
    assert len(made) == 3
    for wrong in ("a b", "x" * 65, "Müller".encode(), "a@b.ch", ""):
        answer = await cmi.partner.get(f"{API}/orders", headers={"X-Request-Id": wrong})
        assert len(answer.headers["X-Request-Id"]) == 24


async def test_the_id_goes_on_into_the_workflow(cmi: Site) -> None:
    sp_id = await cmi.new()
    await cmi.do(cmi.partner, sp_id, "accept", X_Request_Id="trace-77")
    # The same id for another command is another command all the same.
    for _ in range(2):
        contact = {"outcome": "not_reached"}
        await cmi.do(cmi.partner, sp_id, "contacts", contact, X_Request_Id="trace-77")
    history = await cmi.around.client.get_workflow_handle(sp_id).fetch_history()
    ids = [
        event.workflow_execution_update_accepted_event_attributes.protocol_instance_id
        for event in history.events
        if event.HasField("workflow_execution_update_accepted_event_attributes")
    ]
    assert len(ids) == 3
    assert len(set(ids)) == 3
    assert all(each.startswith("trace-77.") for each in ids)
    seen = (await cmi.partner.get(f"{API}/orders/{sp_id}")).json()
    assert [entry["type"] for entry in seen["timeline"]].count("contact_logged") == 2


async def test_the_log_tells_no_tales(cmi: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    body = order(name="Zacharias Geheim", email="geheim@example.ch")
    await cmi.shop.post(f"{API}/orders", json=body, headers={"X-Request-Id": "log-1"})
    await cmi.partner.get(f"{API}/orders", params={"q": "Geheim"})
    await cmi.partner.get(f"{API}/orders/Zacharias Geheim")
    await cmi.partner.get("/Geheim")
    wrong = {**body, "customer": {**body["customer"], "email": "geheim"}}
    await cmi.shop.post(f"{API}/orders", json=wrong)
    lines = ours(caplog)
    text = "\n".join(f"{line.getMessage()} {vars(line)}" for line in lines)
    assert "eheim" not in text
    assert cmi.tokens["shop"] not in text
    answered = [line for line in lines if line.name == "cmi.web.access"]
    assert len(answered) == 5
    first = vars(answered[0])
    assert first["method"] == "POST"
    assert first["route"] == f"{API}/orders"
    assert (first["status"], first["role"], first["request_id"]) == (201, "shop", "log-1")
    assert first["ms"] > 0


async def test_a_mistake_of_ours_shows_nothing_of_our_inside(
    cmi: Site, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise KeyError("Zacharias Geheim")

    monkeypatch.setattr(Orders, "get", broken)
    answer = await cmi.partner.get(f"{API}/orders/SP-1")
    assert answer.status_code == 500
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Geheim" not in answer.text
    assert "KeyError" not in answer.text
    (line,) = (line for line in ours(caplog) if line.levelname == "ERROR")
    assert vars(line)["error"] == "KeyError"
    assert "test_middleware.py" in vars(line)["trace"][0]
    assert "Geheim" not in str(vars(line))


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (f"{API}/orders", ("Content-Type: application/json",)),
        (f"{API}/orders", ("Content-Type: application/json", "Idempotency-Key: gone")),
        (f"{API}/settlements/V-1/invoice", ("Content-Type: multipart/form-data; boundary=x",)),
        ("/login", ("Content-Type: application/x-www-form-urlencoded",)),
    ],
)
async def test_a_caller_that_goes_away_is_no_mistake_of_ours(
    cmi: Site, path: str, headers: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    request_id = secrets.token_hex(8)
    head = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer {cmi.tokens['partner' if 'invoice' in path else 'shop']}",
        f"X-Request-Id: {request_id}",
        "Content-Length: 1000",
        *headers,
    ]
    address = httpx.URL(cmi.address)
    with caplog.at_level(logging.INFO):
        _, writer = await asyncio.open_connection(address.host, address.port)
        writer.write("\r\n".join([*head, "", "--x"]).encode())
        await writer.drain()
        writer.close()

        def lines() -> list[logging.LogRecord]:
            return [
                line for line in ours(caplog) if getattr(line, "request_id", None) == request_id
            ]

        await eventually(lines)
    assert [line.getMessage() for line in lines()] == ["the caller went away"]
    assert max(line.levelno for line in ours(caplog)) == logging.INFO


async def test_health(cmi: Site) -> None:
    assert (await cmi.nobody.get("/healthz")).json() == {"status": "ok"}
    ready = await cmi.nobody.get("/readyz")
    assert ready.json() == {"status": "ready", "temporal": "ok", "database": "ok"}


async def test_the_process_as_it_is_run(cmi: Site) -> None:
    port = free_port()
    env = {
        **cmi.around.env,
        "CMI_HTTP_PORT": str(port),
        "CMI_LOG_FORMAT": "json",
        "CMI_TRUSTED_PROXIES": "127.0.0.0/8",
    }
    process = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-m", "web"], cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True
    )
    try:
        headers = {"Authorization": f"Bearer {cmi.tokens['partner']}", "X-Forwarded-Proto": "https"}
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers=headers
        ) as client:
            end = time.monotonic() + 30
            while True:
                try:
                    answer = await client.get(f"{API}/orders", params={"q": "Geheim"})
                    break
                except httpx.TransportError:
                    assert time.monotonic() < end
                    await asyncio.sleep(0.1)
            assert answer.status_code == 200
            assert answer.headers["Strict-Transport-Security"]
            assert (await client.get("/docs")).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 20) == 0
    finally:
        process.kill()
    _, errors = process.communicate()
    logged = [json.loads(line) for line in errors.splitlines()]
    access = next(line for line in logged if line["logger"] == "cmi.web.access")
    assert access["request_id"] == answer.headers["X-Request-Id"]
    assert "Geheim" not in errors


@pytest.mark.parametrize("path", ["/api/v1/settlements/V-1/invoice", "/settlements/V-1/invoice"])
async def test_an_upload_of_nobody_is_refused_before_it_is_sent(cmi: Site, path: str) -> None:
    url = httpx.URL(cmi.address)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(
        f"POST {path} HTTP/1.1\r\nHost: {url.host}\r\nContent-Length: 20000000\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n\r\n".encode()
    )
    line = await asyncio.wait_for(reader.readline(), 5)
    assert line.split()[1] == (b"401" if path.startswith("/api") else b"403")
    writer.close()


async def test_a_token_that_calls_too_often(cmi: Site) -> None:
    usual = cmi.app.state.call_limits
    cmi.app.state.call_limits = CallLimits(Settings(partner_calls_per_minute=2))
    try:
        answers = [await cmi.partner.get(f"{API}/orders") for _ in range(3)]
    finally:
        cmi.app.state.call_limits = usual
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[2].headers["Retry-After"]) >= 1
    assert answers[2].headers["Content-Type"] == "application/problem+json"
    assert (await cmi.shop.get(f"{API}/orders")).status_code == 200
