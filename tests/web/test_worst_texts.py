"""No text from outside takes more than linear time: headers, cookies, paths, queries, JSON and forms of every route.

The application runs in this process, so that its processor time can be measured. A text of a body is sent in two sizes,
one eight times the other: what grows with the square takes 64 times as long.
"""

# ruff: noqa: B023 - each function that sends is used in the same round of its loop only

import asyncio
import inspect
import itertools
import re
import sys
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
from tests.web.test_access import DECIDED
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
def lookups() -> Iterator[set[tuple[str, str, int]]]:
    """The headers that are looked for while the block runs: the name, and the file and the line that looks for it."""
    found: set[tuple[str, str, int]] = set()

    def listen(method: Callable[..., Any]) -> Callable[..., Any]:
        def look(headers: Headers, name: str) -> Any:
            frame = sys._getframe(1)
            while "_collections_abc" in frame.f_code.co_filename and frame.f_back:
                frame = frame.f_back  # `Mapping.get`
            found.add((name.lower(), frame.f_code.co_filename, frame.f_lineno))
            return method(headers, name)

        return look

    with ExitStack() as stack:
        for name in ("__getitem__", "__contains__", "getlist"):
            method = listen(getattr(Headers, name))
            stack.enter_context(mock.patch.object(Headers, name, method))
        yield found


async def test_headers_and_cookies(browsers: Browsers) -> None:
    """Up to the limit of 16 KiB; beyond it nothing is looked at.

    Each text is sent in each header to a route for each line that looks for this header. What looks at a header without
    its name, or at all of them, is the same code for all routes: a header that no line looks for is sent to one route.
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

        readers, known = [], set[tuple[str, str, int]]()
        for target in targets:
            with lookups() as found:
                await send(target, "x")
            lines = {each for each in found if each[0] == header.lower()}
            readers += [target] if lines - known else []
            known |= lines
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
            if not sent:
                continue

            async def is_read(text: tuple[str, str, str], caller: Caller) -> bool:
                (what, where, query), (role, client) = text, caller
                statuses = []

                async def send() -> None:
                    statuses.append(await get(cmi, client, where, query))

                taken = await seconds(send)
                if taken > ENOUGH:
                    wrong.append(f"GET {path}, {what}, {role}: {taken:.3f} s")
                return statuses[0] != 403

            may = [caller for caller in clients.items() if await is_read(sent[0], caller)]
            for text, caller in in_turn(sent[1:], may):
                await is_read(text, caller)
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

            may = [each for each in browsers.api.items() if each[0] in DECIDED[f"{method} {path}"]]
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
ENDING_SESSIONS = ("/account/sessions/end", "/logout")
"""These forms are sent last: without a session, what is in another form is not looked at."""


def form_of(client: httpx.AsyncClient, typed: dict[str, str]) -> list[tuple[str, tuple[None, str]]]:
    """What was typed into a form, with what the page has hidden in it."""
    hidden = {"form_token": client.cookies.get("cmi_form", ""), "request_id": "A" * 22}
    return [(each, (None, value)) for each, value in (hidden | typed).items()]


async def test_forms(browsers: Browsers) -> None:
    """Each field of a form has one of the texts, and for each role another one."""
    cmi, wrong, unread = browsers.site, [], []
    texts = list(FIELDS.values())
    for route in sorted(
        routes(cmi, "POST", api=False), key=lambda each: each.path in ENDING_SESSIONS
    ):
        path, statuses = route.path, set[int]()
        names = re.findall(r'\.get(?:list)?\(\s*"([\w.-]+)"', source(route)) or ["note"]
        names = [each for each in dict.fromkeys(names) if each not in ("form_token", "request_id")]
        for first, (role, client) in enumerate(browsers.people.items()):

            async def send(size: int) -> None:
                each_size = 2 * size // max(2, len(names))  # all of them may have 1 MiB
                typed = {
                    name: long(texts[number % len(texts)], each_size)
                    for number, name in enumerate(names, first)
                }
                sent = form_of(client, typed)
                answer = await client.post(address(path), files=sent, headers=SAME)
                statuses.add(answer.status_code)

            what = await grows(send)
            if what:
                wrong.append(f"POST {path}, {role}: {what}")
        if statuses == {403} and path not in ENDING_SESSIONS:
            unread.append(path)
    assert not wrong, "\n".join(wrong)
    assert not unread, unread


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
