"""No text from outside takes more than linear time: headers, cookies, paths, queries, JSON and forms of every route.

The application runs in this process, so that its processor time can be measured. A text of a body is sent in two sizes,
one eight times the other: what grows with the square takes 64 times as long.
"""

# ruff: noqa: B023 - each function that sends is used in the same round of its loop only

import asyncio
import inspect
import itertools
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar
from unittest import mock
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio
from fastapi.routing import iter_route_contexts
from pwdlib import PasswordHash
from starlette.datastructures import Headers

from records.accounts import AccountRecords
from records.passwords import PasswordRecords
from tests.support.users import add_user
from tests.use_cases.conftest import QUICK
from tests.web.site import API, Site
from tests.web.site import ROLES as API_ROLES
from web.call_limits import CallLimits
from web.security import session_cookie

pytestmark = pytest.mark.asyncio(loop_scope="session")

GROWTH = 8
MOST = 30
"""How many times as long the larger text may take: more than `GROWTH`, less than its square."""
ENOUGH = 0.25
"""Seconds of processor time that are too few to be an attack, and that noise may reach."""
SMALL, LARGE = 25_000, 200_000
LIMITED = 15_200
"""How long a header or an address is: less than 16 KiB. What is longer is refused before it is looked at."""
TEXTS = {
    "backslashes": "\\",
    "quotes": '\\"',
    "semicolons": ";a=",
    "blanks": " ",
    "dashes": "-",
    "dots": ".",
    "commas": "a,",
    "digits": "9",
    "letters and digits": "A0 ",
    "brackets": "[",
    "combining characters": "\u0323\u0301",
    "line breaks": "\r\n",
    "per cent": "%",
    "services": "sp ",
    "languages": "en-a;q=0,",
}
ASCII = {name: text for name, text in TEXTS.items() if text.isascii() and text.isprintable()}
FIELDS = {
    name: TEXTS[name]
    for name in (
        "backslashes", "digits", "letters and digits", "combining characters",
    )
}  # fmt: skip
"""Those for the fields of bodies, where nothing is parsed but what the models take."""
HEADERS = (
    "Accept", "Accept-Language", "Authorization", "Content-Type", "Cookie", "Host", "Idempotency-Key",
    "If-Match", "If-Modified-Since", "If-None-Match", "Origin", "Prefer", "Range", "Referer",
    "Sec-Fetch-Site", "User-Agent", "X-Forwarded-For", "X-Forwarded-Proto", "X-Request-Id",
)  # fmt: skip
STARTS = {"Authorization": "Bearer ", "Cookie": 'cmi_session="', "Range": "bytes=0-", "Host": "a"}
PASSWORD = "korrekt Pferd 4 Batterie"
ROLES = ("operations", "partner", "accounting")


def long(text: str, size: int) -> str:
    """The text, repeated to this size."""
    return (text * (size // len(text) + 1))[:size]


T = TypeVar("T")
Caller = tuple[str, httpx.AsyncClient]
"""A role, and somebody who has it."""
Target = tuple[str, str, httpx.AsyncClient]
"""A method, a path, and who calls it."""


class Browsers(NamedTuple):
    """The application in this process, called by tokens and by people who are logged in."""

    site: Site
    api: dict[str, httpx.AsyncClient]
    people: dict[str, httpx.AsyncClient]
    nobody: httpx.AsyncClient


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def browsers(cmi: Site) -> AsyncIterator[Browsers]:
    """Callers of every role."""

    def client(**options: Any) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=cmi.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url=cmi.address, **options)

    records, state = AccountRecords(cmi.around.database), cmi.app.state
    people = {}
    for role in ROLES:
        email, partner_id = f"worst.{role}@people.example", "elektro-huber"
        await add_user(
            records, f"usr_worst_{role}", role, partner_id if role == "partner" else None,
            email, "Petra", "de", datetime.now(UTC),
        )  # fmt: skip
        hashed = PasswordHash((QUICK,)).hash(PASSWORD)
        await PasswordRecords(cmi.around.database).set(
            f"usr_worst_{role}", hashed, datetime.now(UTC)
        )
        session = await state.accounts.sessions.log_in(email, PASSWORD, "2001:db8::99")
        people[role] = client(cookies={session_cookie(state.settings): session.secret})
        await people[role].get("/account")  # for the token of forms
    api = {
        role: client(headers={"Authorization": f"Bearer {cmi.tokens[role]}"})
        for role in API_ROLES  # `tokens` has those of other tests' partners, too
    }
    nobody, limits = client(), state.call_limits
    state.call_limits = CallLimits(
        state.settings.model_copy(update={"calls_per_minute": 0, "partner_calls_per_minute": 0})
    )
    yield Browsers(cmi, api, people, nobody)
    state.call_limits = limits
    for each in (*people.values(), *api.values(), nobody):
        await each.aclose()


async def seconds(send: Callable[[], Awaitable[Any]]) -> float:
    """The processor time of a request, the better of two."""
    taken = []
    for _ in range(2):
        began = time.process_time()
        await send()
        taken.append(time.process_time() - began)
        if taken[0] < ENOUGH / 4:
            break
    return min(taken)


async def grows(send: Callable[[int], Awaitable[Any]]) -> str:
    """What is wrong with how the time grows; empty if nothing is."""
    much = await seconds(lambda: send(LARGE))
    if much <= ENOUGH:
        return ""
    little = await seconds(lambda: send(SMALL))
    return f"{little:.3f} s, then {much:.3f} s" if much > MOST * little else ""


async def let_in(
    clients: dict[str, httpx.AsyncClient],
    send: Callable[[httpx.AsyncClient], Awaitable[httpx.Response]],
) -> list[Caller]:
    """Those who may make a call."""
    return [each for each in clients.items() if (await send(each[1])).status_code != 403]


def in_turn(texts: Iterable[T], callers: Sequence[Caller]) -> list[tuple[T, Caller]]:
    """Each text with a caller, and each caller with a text; none if nobody may call.

    How a text is read does not depend on who sends it, so not every pair is tried.
    """
    written = list(texts)
    pairs = zip(itertools.cycle(written), itertools.cycle(callers), strict=False)
    return list(itertools.islice(pairs, max(len(written), len(callers))))


class Route(NamedTuple):
    """A route: its whole path, and its function."""

    path: str
    endpoint: Any


def routes(cmi: Site, method: str, *, api: bool) -> list[Route]:
    """The routes of the API or of the pages with this method."""
    found = [
        Route(each.path, each.endpoint)
        for each in iter_route_contexts(cmi.app.routes)
        if method in (each.methods or ()) and each.path.startswith(API) is api
    ]
    assert len(found) > (0 if method in ("PATCH", "DELETE") else 20)
    return found


def address(path: str, value: str = "x") -> str:
    """The path with a value for each of its parameters."""
    return re.sub(r"\{[^}]+\}", lambda _: quote(value, safe=""), path)


@contextmanager
def names_looked_for() -> Iterator[set[str]]:
    """The names of the headers that the application looks for while the block runs."""
    names: set[str] = set()

    def listen(method: Callable[..., Any]) -> Callable[..., Any]:
        def look(headers: Headers, name: str) -> Any:
            names.add(name.lower())
            return method(headers, name)

        return look

    with ExitStack() as stack:
        for name in ("__getitem__", "__contains__", "getlist"):
            method = listen(getattr(Headers, name))
            stack.enter_context(mock.patch.object(Headers, name, method))
        yield names


async def test_headers_and_cookies(browsers: Browsers) -> None:
    """Up to the limit of 16 KiB; beyond it nothing is looked at.

    Each text is sent in each header to the routes that look for this header. What looks at a header without its name,
    or at all of them, is the same code for all routes: a header that no route looks for is sent to one.
    """
    wrong = []
    targets: list[Target] = [
        ("GET", "/login", browsers.nobody),
        ("GET", "/", browsers.people["operations"]),
        ("GET", "/static/cmi.css", browsers.nobody),
        ("GET", f"{API}/orders", browsers.api["operations"]),
        ("POST", f"{API}/orders", browsers.api["shop"]),
        ("POST", "/login", browsers.nobody),
    ]
    in_rotation, texts = itertools.cycle(targets), itertools.cycle(ASCII.values())
    for header in HEADERS:

        async def send(target: Target, text: str) -> httpx.Response:
            method, path, client = target
            value = STARTS.get(header, "") + text
            kept = {"Idempotency-Key": "k"} if header == "Content-Type" else {}
            headers = {**kept, header: value}
            return await client.request(method, path, headers=headers)

        readers = []
        for target in targets:
            with names_looked_for() as names:
                await send(target, "x")
            readers += [target] if header.lower() in names else []
        for name, text in ASCII.items():
            for target in readers or [next(in_rotation)]:
                taken = await seconds(lambda: send(target, long(text, LIMITED)))
                if taken > ENOUGH:
                    wrong.append(f"{target[0]} {target[1]}, {header} of {name}: {taken:.3f} s")
        began = time.process_time()
        answer = await send(next(in_rotation), long(next(texts), LARGE))
        assert answer.status_code == 431
        assert time.process_time() - began < ENOUGH
    assert not wrong, "\n".join(wrong)


async def get(cmi: Site, client: httpx.AsyncClient, path: str, query: str = "") -> int:
    """The status of a GET with this path, which the application gets as it is here."""
    cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    headers = {"host": "localhost", "cookie": cookies, **client.headers}
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": path, "raw_path": path.encode(), "root_path": "",
        "query_string": query.encode(), "client": ("127.0.0.1", 9), "server": ("localhost", 80),
        "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()], "state": {},
    }  # fmt: skip

    waiting = [{"type": "http.request", "body": b"", "more_body": False}]
    answered = []

    async def receive() -> dict[str, Any]:
        if not waiting:
            await asyncio.Event().wait()  # the caller stays until it has the whole answer
        return waiting.pop()

    async def send(message: Any) -> None:
        answered.append(message)

    await cmi.app(scope, receive, send)
    return answered[0]["status"]


async def test_paths_and_queries(browsers: Browsers) -> None:
    """One parameter has all that an address may have. Half of the texts are sent; the other half is in bodies."""
    cmi, wrong = browsers.site, []
    spec = cmi.app.openapi()["paths"]
    for api in (True, False):
        clients = {role: (browsers.api if api else browsers.people)[role] for role in ROLES}
        for route in routes(cmi, "GET", api=api):
            path = route.path
            parameters = spec.get(path, {}).get("get", {}).get("parameters", [])
            names = [each["name"] for each in parameters if each["in"] == "query"]
            names += re.findall(r'(?:query_params|given)\.get\(\s*"(\w+)"', source(route))
            sent = []
            for name, text in list(FIELDS.items())[::2]:
                for each in dict.fromkeys(names):
                    query = f"{each}={long(text.replace(' ', '+'), LIMITED)}"
                    sent.append((f"{each} of {name}", address(path), query))
                if "{" in path:
                    part = long(text, LIMITED // path.count("{"))
                    sent.append((f"path of {name}", path.replace("{", "").replace("}", part), ""))
            may = await let_in(clients, lambda client: client.get(address(path)))
            for (what, where, query), (role, client) in in_turn(sent, may):
                taken = await seconds(lambda: get(cmi, client, where, query))
                if taken > ENOUGH:
                    wrong.append(f"GET {path}, {what}, {role}: {taken:.3f} s")
    assert not wrong, "\n".join(wrong)
    for path, query in ((f"{API}/orders/{'x' * LARGE}", ""), ("/login", "x" * LARGE)):
        began = time.process_time()
        assert await get(cmi, browsers.nobody, path, query) == 414
        assert time.process_time() - began < ENOUGH


@pytest.mark.parametrize("text", FIELDS)
async def test_a_quoted_query(browsers: Browsers, text: str) -> None:
    """The same code decodes the queries of all routes."""
    client, query = browsers.api["operations"], "q=" + long(quote(FIELDS[text], safe=""), LIMITED)
    taken = await seconds(lambda: get(browsers.site, client, f"{API}/orders", query))
    assert taken < ENOUGH


async def test_bodies_of_the_api(browsers: Browsers) -> None:
    cmi, wrong = browsers.site, []
    spec = cmi.app.openapi()
    for method in ("POST", "PATCH", "DELETE"):
        for route in routes(cmi, method, api=True):
            path = route.path
            content = spec["paths"][path][method.lower()].get("requestBody", {}).get("content", {})
            schema = content.get("application/json", {}).get("schema")

            async def short(client: httpx.AsyncClient) -> httpx.Response:
                body = {"json": filled(schema, spec, "x" * 10)} if schema else {"content": "x" * 10}
                return await client.request(method, address(path), headers=JSON, **body)

            may = await let_in(browsers.api, short)
            for (name, text), (role, client) in in_turn(FIELDS.items(), may):

                async def raw(size: int) -> httpx.Response:
                    return await client.request(
                        method,
                        address(path),
                        content=long(text, size),
                        headers=JSON,
                    )

                async def fields(size: int) -> httpx.Response:
                    body = filled(schema, spec, long(text, size))
                    return await client.request(method, address(path), json=body)

                for send in (raw, fields) if schema else (raw,):
                    what = await grows(send)
                    if what:
                        wrong.append(f"{method} {path}, {send.__name__} of {name}, {role}: {what}")
    assert not wrong, "\n".join(wrong)


JSON = {"Content-Type": "application/json"}
SAME = {"Sec-Fetch-Site": "same-origin"}


def form_of(client: httpx.AsyncClient, typed: dict[str, str]) -> list[tuple[str, tuple[None, str]]]:
    """What was typed into a form, with what the page has hidden in it."""
    hidden = {"form_token": client.cookies.get("cmi_form", ""), "request_id": "A" * 22}
    return [(each, (None, value)) for each, value in (hidden | typed).items()]


async def test_forms(browsers: Browsers) -> None:
    cmi, wrong = browsers.site, []
    for route in routes(cmi, "POST", api=False):
        path = route.path
        names = re.findall(r'\.get(?:list)?\(\s*"([\w.-]+)"', source(route)) or ["note"]
        names = [each for each in dict.fromkeys(names) if each not in ("form_token", "request_id")]
        shorts = dict.fromkeys(names[:4], "x" * 10)

        async def short(client: httpx.AsyncClient) -> httpx.Response:
            return await client.post(address(path), files=form_of(client, shorts), headers=SAME)

        may = await let_in(browsers.people, short)
        for (name, text), (role, client) in in_turn(FIELDS.items(), may):
            for first in range(0, len(names), 4):

                async def send(size: int) -> httpx.Response:
                    typed = {each: long(text, size) for each in names[first : first + 4]}
                    sent = form_of(client, typed)
                    return await client.post(address(path), files=sent, headers=SAME)

                what = await grows(send)
                if what:
                    wrong.append(f"POST {path} of {name}, {role}: {what}")
    assert not wrong, "\n".join(wrong)


def source(route: Route) -> str:
    """The source of the module with a route's function."""
    module = inspect.getmodule(inspect.unwrap(route.endpoint))
    assert module is not None
    return inspect.getsource(module)


def filled(schema: dict[str, Any], spec: dict[str, Any], text: str, depth: int = 0) -> Any:
    """A body with the text in every field that may be one."""
    if "$ref" in schema:
        schema = spec["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return filled(schema[key][0], spec, text, depth)
    if schema.get("type") == "object" or "properties" in schema:
        number = max(1, len(schema.get("properties", {})))
        part = text if depth or number < 4 else text[: max(10, 4 * len(text) // number)]
        return {
            name: filled(each, spec, part, depth + 1)
            for name, each in schema.get("properties", {}).items()
        }
    if schema.get("type") == "array":
        return [filled(schema.get("items", {}), spec, text, depth + 1)]
    return text
