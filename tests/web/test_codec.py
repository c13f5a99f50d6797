"""The codec endpoint: operations alone, from the Temporal UI alone, and nothing that is kept."""

import asyncio
import base64
import re
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from google.protobuf.json_format import MessageToDict
from sqlalchemy import func, select
from temporalio.api.common.v1 import Payload
from temporalio.client import Client

from contracts.keys import new_key
from development.embedded import temporal_binary
from records import tables
from records.database import Database
from records.migrate import migrate
from records.partners import Partners
from settings import Settings
from temporal.connection import data_converter
from tests.activities.conftest import partner
from tests.server.surroundings import surroundings
from tests.web.site import NO_AUTHORITIES, ROLES, serving, tokens

pytestmark = pytest.mark.asyncio(loop_scope="module")

OLD, NEW = new_key("old"), new_key("new")
UI = "https://temporal.example.ch"
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'{"name": "Regula M\xc3\xbcller"}')


def as_json(*payloads: Payload) -> dict[str, Any]:
    """The body of a call."""
    return {"payloads": [MessageToDict(payload) for payload in payloads]}


async def sealed(*keys: str) -> Payload:
    """The payload as Temporal has it."""
    codec = data_converter(Settings(encryption_keys=",".join(keys))).payload_codec
    assert codec is not None
    return (await codec.encode([PLAIN]))[0]


class Codec:
    """The application, and callers of every role."""

    def __init__(self, database: Database, address: str, known: dict[str, str]) -> None:
        self.database = database
        self.address = address
        self.tokens = known

    async def ask(
        self, call: str, body: Any, role: str | None = "operations", **headers: str
    ) -> httpx.Response:
        """A call."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if role is not None:
            named["Authorization"] = f"Bearer {self.tokens[role]}"
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        async with httpx.AsyncClient(
            base_url=self.address, headers=named, verify=NO_AUTHORITIES
        ) as client:
            return await client.post(f"/codec/{call}", **content)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def codec(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Codec]:
    """The endpoint of an application with two keys. Tests only read from it."""
    settings = Settings(
        database_url=f"sqlite:///{tmp_path_factory.mktemp('codec')}/cmi.db",
        temporal_ui_url=f"{UI}/a/path",
        encryption_keys=f"{NEW},{OLD}",
    )
    await migrate(settings.database_url)
    database = Database(settings.database_url)
    for name in ("elektro-huber", "luzern-montage"):
        await Partners(database).put(partner(name), datetime.now(UTC))
    known = await tokens(settings, database)
    # Nobody is at this address: the endpoint needs no Temporal.
    async with serving(settings, "127.0.0.1:1") as (_, address):
        yield Codec(database, address, known)
    await database.close()


async def test_operations_read_what_is_encrypted_with_either_key(codec: Codec) -> None:
    body = as_json(await sealed(NEW), await sealed(OLD), PLAIN)
    answer = await codec.ask("decode", body, X_Namespace="default")
    assert answer.status_code == 200
    assert answer.json() == as_json(PLAIN, PLAIN, PLAIN)
    assert answer.headers["Cache-Control"] == "no-store"
    assert (await codec.ask("decode", as_json())).json() == {"payloads": []}


async def test_what_operations_enter_is_encrypted_with_the_first_key(codec: Codec) -> None:
    answer = await codec.ask("encode", as_json(PLAIN))
    (payload,) = answer.json()["payloads"]
    assert base64.b64decode(payload["metadata"]["encryption-key-id"]) == b"new"
    assert "Regula" not in str(base64.b64decode(payload["data"]))
    assert (await codec.ask("decode", answer.json())).json() == as_json(PLAIN)


@pytest.mark.parametrize("call", ["decode", "encode"])
@pytest.mark.parametrize("role", [*ROLES, None])
async def test_nobody_else_does(codec: Codec, role: str | None, call: str) -> None:
    answer = await codec.ask(call, as_json(await sealed(NEW)), role)
    expected = {"operations": 200, None: 401}.get(role, 403)
    assert answer.status_code == expected
    # and nobody learns from an error what would be read
    assert (await codec.ask(call, b"{", role)).status_code == (400 if expected == 200 else expected)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"payloads": 1}', b'{"payloads": [1]}',
        b'{"payloads": [{"data": 1}]}', b'{"payloads": [{"metadata": {"encoding": "\xff"}}]}',
        b"[" * 5000,
    ],
)  # fmt: skip
async def test_malformed(codec: Codec, body: bytes) -> None:
    answer = await codec.ask("decode", body)
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"


async def test_what_cannot_be_decrypted_says_why(codec: Codec) -> None:
    foreign = await codec.ask("decode", as_json(await sealed(new_key("other"))))
    assert foreign.status_code == 400
    assert "'other'" in foreign.json()["detail"]
    changed = await sealed(NEW)
    changed.data = changed.data[:-1] + b"?"
    assert (await codec.ask("decode", as_json(changed))).status_code == 400


async def test_limits(codec: Codec) -> None:
    assert (await codec.ask("decode", as_json(*[PLAIN] * 1000))).status_code == 200
    many = await codec.ask("decode", as_json(*[Payload()] * 1001))
    assert (many.status_code, many.json()["status"]) == (413, 413)
    large = await codec.ask("decode", b" " * 1_100_000)
    assert large.status_code == 413


async def test_another_namespace_is_none_of_ours(codec: Codec) -> None:
    answer = await codec.ask("decode", as_json(await sealed(NEW)), X_Namespace="other")
    assert answer.status_code == 400


async def preflight(codec: Codec, origin: str, path: str = "/codec/decode") -> httpx.Response:
    """What a browser asks before a page of another origin may call."""
    async with httpx.AsyncClient(base_url=codec.address, verify=NO_AUTHORITIES) as client:
        return await client.options(
            path,
            headers={
                "Origin": origin,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "content-type,x-namespace",
            },
        )


async def test_a_page_of_the_temporal_ui_may_ask_with_its_cookies(codec: Codec) -> None:
    allowed = await preflight(codec, UI)
    assert allowed.status_code == 200
    assert allowed.headers["Access-Control-Allow-Origin"] == UI
    assert allowed.headers["Access-Control-Allow-Credentials"] == "true"
    assert "x-namespace" in allowed.headers["Access-Control-Allow-Headers"].lower()
    for role, status in (("operations", 200), (None, 401), ("shop", 403)):
        answer = await codec.ask("decode", as_json(PLAIN), role, Origin=UI)
        assert answer.status_code == status
        assert answer.headers["Access-Control-Allow-Origin"] == UI, "errors are read there, too"
        assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize(
    "origin", ["https://evil.example", f"{UI}.evil.example", "http://temporal.example.ch", "null"]
)
async def test_no_other_page_may(codec: Codec, origin: str) -> None:
    assert "Access-Control-Allow-Origin" not in (await preflight(codec, origin)).headers
    answer = await codec.ask("decode", as_json(await sealed(NEW)), Origin=origin)
    assert answer.status_code == 403
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_the_rest_of_the_application_is_open_to_no_page(codec: Codec) -> None:
    answer = await preflight(codec, UI, "/api/v1/orders")
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_no_answer_is_kept(codec: Codec) -> None:
    """An `Idempotency-Key` would keep what was decrypted in the database."""
    answer = await codec.ask("decode", as_json(await sealed(NEW)), Idempotency_Key="k" * 20)
    assert answer.status_code == 200
    async with codec.database.reading() as connection:
        kept = await connection.execute(select(func.count()).select_from(tables.idempotency))
        assert kept.scalar_one() == 0


async def test_the_temporal_command_line_reads_an_order(tmp_path: Path) -> None:
    """As the Temporal UI does, by the same protocol, with a token of operations; without one it is not readable."""
    async with surroundings(tmp_path, CMI_ENCRYPTION_KEYS=NEW) as around:
        around.client = await Client.connect(
            around.address, data_converter=data_converter(around.settings, around.database)
        )
        life = await around.place("SP-1")
        known = await tokens(around.settings, around.database)
        async with serving(around.settings, around.address) as (_, address):

            async def show(*more: str) -> str:
                """The payloads of the history, as the command shows them."""
                done = await asyncio.to_thread(
                    subprocess.run,
                    [
                        temporal_binary(), "workflow", "show", "--workflow-id", life.sp_id,
                        "--address", around.address, "--output", "json", *more,
                    ],
                    capture_output=True, text=True, check=False,
                )  # fmt: skip
                data = re.findall(r'"data": "([^"]*)"', done.stdout)
                assert data, done.stderr
                return b" ".join(map(base64.b64decode, data)).decode(errors="replace")

            assert "Regula" not in await show()
            endpoint = ("--codec-endpoint", f"{address}/codec", "--codec-auth")
            assert "Regula Müller" in await show(*endpoint, f"Bearer {known['operations']}")
