"""Measures lists, searches and overviews on PostgreSQL: with a tenth of the orders, and with all of them.

The web process runs as in production, over a temporary PostgreSQL cluster and without Temporal, which these pages do
not ask. The number of open orders is the same at both sizes, as in a firm that grows older: the rest are closed ones of
earlier years. Beside the time until the answer it measures the processor time of the web process and of PostgreSQL,
which other load on the machine changes less.
"""

import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import httpx

from bench.overview import PARTNERS, partner_id_of, sessions
from bench.report import console, keep, milliseconds, percentile, table
from bench.stage import cpu_seconds
from development.embedded import free_port
from records.accounts import AccountRecords
from records.links import NewLink
from tests.server.surroundings import Surroundings, eventually, surroundings
from tests.support.databases import end_servers, postgres_server, records_copy
from tests.support.many_orders import OPEN, fill, make_templates
from tests.support.processes import Process
from use_cases.accounts import Accounts
from use_cases.link_mails import hash_of, new_secret
from web.security import session_cookie

ROUNDS = 30
"""How often each call is made, after some more to warm up."""
_TICK = os.sysconf("SC_CLK_TCK")


class Cost(NamedTuple):
    """Milliseconds of a request: until the answer, and of processor time."""

    p50: float
    p95: float
    web: float
    database: float


class Call(NamedTuple):
    """A request."""

    path: str
    headers: dict[str, str]


async def run(count: int) -> None:
    """Measure with a tenth of the orders, add the others, measure again."""
    try:
        found = await _both(count)
    finally:
        end_servers()
    rows, figures = [], {}
    for name, small in found[0].items():
        large = found[1][name]
        growth = round((large.web + large.database) / (small.web + small.database), 2)
        rows.append((name, *small, *large, growth))
        figures[name] = {"tenth": small._asdict(), "all": large._asdict(), "growth": growth}
    columns = ("p50", "p95", "web", "PostgreSQL")
    table(
        f"Milliseconds of a request and of processor time; {count // 10:,} orders, then {count:,}",
        ("", *columns, *columns, "growth"),
        rows,
    )
    keep("records", figures, orders=count, open=OPEN, partners=PARTNERS)


async def _both(count: int) -> list[dict[str, Cost]]:
    found: list[dict[str, Cost]] = []
    with tempfile.TemporaryDirectory(prefix="cmi-bench-") as name:
        async with records_copy(Path(name), "postgresql") as copy:
            env = {
                "CMI_DATABASE_URL": copy.owner,
                "CMI_CALLS_PER_MINUTE": "0",
                "CMI_PARTNER_CALLS_PER_MINUTE": "0",
                "CMI_LOG_LEVEL": "warning",
            }
            async with surroundings(
                Path(name), up=False, shared=False, within=None, **env
            ) as around:
                await make_templates(around.database)
                calls = await _calls(around)
                filled = 0
                for size in (count // 10, count):
                    began = time.perf_counter()
                    await fill(copy.owner, filled + 1, size)
                    filled = size
                    console.print(f"{size:,} orders after {time.perf_counter() - began:.0f} s")
                    found.append(await _measure_all(around, calls))
                    console.print({name: tuple(cost) for name, cost in found[-1].items()})
    return found


async def _calls(around: Surroundings) -> dict[str, Call]:
    """What is measured."""
    secrets = await sessions(around.database)
    now = datetime.now(UTC)
    accounts, staff = AccountRecords(around.database), new_secret()
    link = NewLink("usr_staff", "invitation", hash_of(new_secret()), now)
    await accounts.add_user("usr_staff", "operations", None, "a@b.example", "Anna", "de", now, link)
    await accounts.begin_session("usr_staff", hash_of(staff), now, now + timedelta(days=1))
    use_cases = Accounts(around.database, around.settings)
    _, shop = await use_cases.tokens.make("operations", "Its software", None)
    _, partner = await use_cases.tokens.make("partner", "Its software", partner_id_of(3))
    await use_cases.close()
    name = session_cookie(around.settings)
    retailer, own = ({"Authorization": f"Bearer {token}"} for token in (shop, partner))
    at_desk, at_partner = ({"Cookie": f"{name}={secret}"} for secret in (staff, secrets[3]))
    return {
        "overview of operations": Call("/staff", at_desk),
        "overview of a partner": Call("/", at_partner),
        "list, page": Call("/orders", at_desk),
        "list of a partner, page": Call("/orders", at_partner),
        "list": Call("/api/v1/orders", retailer),
        "list of a state": Call("/api/v1/orders?status=completed", retailer),
        "list of a closed state": Call("/api/v1/orders?status=billed", retailer),
        "overdue": Call("/api/v1/orders?overdue=true", retailer),
        "list of a partner": Call("/api/v1/orders", own),
        "search: a number": Call("/api/v1/orders?q=SP-0012345", retailer),
        "search: a rare name": Call("/api/v1/orders?q=c4ca42", retailer),
        "search: a name of an eighth": Call("/api/v1/orders?q=bianchi", retailer),
        "search of a partner: a name": Call("/api/v1/orders?q=keller", own),
    }


async def _measure_all(around: Surroundings, calls: dict[str, Call]) -> dict[str, Cost]:
    async with _web(around) as (process, http):
        return {name: await _measure(process, http, call) for name, call in calls.items()}


@asynccontextmanager
async def _web(around: Surroundings) -> AsyncIterator[tuple[Process, httpx.AsyncClient]]:
    """The web application as in production, and a client for it."""
    port = free_port()
    env = {**around.env, "CMI_HTTP_PORT": str(port)}
    web = Process([sys.executable, "-m", "web"], env, around.folder / "web.log", anew=True)
    web.start()
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", timeout=60, follow_redirects=True
        ) as http:

            async def answers() -> bool:
                try:
                    return (await http.get("/healthz")).is_success
                except httpx.TransportError:
                    return False

            await eventually(answers)
            yield web, http
    finally:
        web.kill()


async def _measure(process: Process, http: httpx.AsyncClient, call: Call) -> Cost:
    for _ in range(3):
        answer = await http.get(call.path, headers=call.headers)
        assert answer.status_code == 200, (
            f"{call.path}: {answer.status_code} {answer.headers} {answer.text[:300]}"
        )
    seconds, web, database = [], cpu_seconds(process), _postgres_seconds()
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await http.get(call.path, headers=call.headers)
        seconds.append(time.perf_counter() - began)
    return Cost(
        milliseconds(percentile(seconds, 0.5)),
        milliseconds(percentile(seconds, 0.95)),
        milliseconds((cpu_seconds(process) - web) / ROUNDS),
        milliseconds((_postgres_seconds() - database) / ROUNDS),
    )


def _postgres_seconds() -> float:
    """Processor time of the PostgreSQL server and of all its processes, those that have ended as well."""
    (server,) = {
        path.parent.name
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if _words(path)[:1] == ["postgres"] or _words(path)[0].endswith("/postgres")
        if str(postgres_server().port) in _words(path)
    }
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        if path.parent.name == server:
            ticks += sum(map(int, fields[11:15]))  # with those of its processes that have ended
        elif fields[1] == server:
            ticks += sum(map(int, fields[11:13]))
    return ticks / _TICK


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split("\0")
    except OSError:
        return [""]
