"""How long a partner's overview takes on the server, with a hundred thousand orders in the database.

The web process alone, as production runs it, on its SQLite file; Temporal is not needed to look. Each request comes
with a session over one kept connection, so what is measured is the server's answer and next to nothing else.
"""

import asyncio
import os
import sys
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from sqlalchemy import insert

from bench.records import PARTNERS, fill, partner_id
from bench.report import keep, milliseconds, percentile, table
from development.embedded import Child, free_port
from records.database import Database
from records.migrate import migrate
from records.partners import Partner, Partners
from records.tables import sessions, users
from records.worklist import Worklists
from settings import Settings
from use_cases.link_mails import hash_of, new_secret
from use_cases.worklist import STATES
from web.portal.orders.overview import SHOWN
from web.security import session_cookie

ROUNDS = 12
"""So often each partner opens each page; the first round warms everything up."""
PAGES = {
    "overview": "/",
    "list: completed": "/orders?status=completed",
    "list: most urgent": "/orders?status=new",
    "search": "/orders?q=keller",
}


async def run(count: int) -> None:
    """`count` orders of forty partners, who open their pages by turns."""
    with tempfile.TemporaryDirectory(prefix="cmi-bench-") as name:
        folder, port = Path(name), free_port()
        env = {
            **{key: value for key, value in os.environ.items() if not key.startswith("CMI_")},
            "CMI_DATABASE_URL": f"sqlite:///{folder / 'cmi.db'}",
            "CMI_HTTP_PORT": str(port),
            "CMI_LOG_LEVEL": "warning",
        }
        settings = Settings.from_env(env)
        await migrate(settings.database_url)
        database = Database(settings.database_url)
        web = Child("web", [sys.executable, "-m", "web"], env, folder / "web.log")
        try:
            cookies = await _fill(database, count)
            await web.start()
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:
                await _up(http)
                seconds, weight = await _measure(http, session_cookie(settings), cookies)
            seconds["its rows from the records"] = await _read(database)
        finally:
            await web.stop()
            await database.close()
    figures = {
        what: {
            "p50": milliseconds(percentile(each, 0.5)),
            "p95": milliseconds(percentile(each, 0.95)),
        }
        for what, each in seconds.items()
    }
    table(
        f"Milliseconds until a partner's page is answered, {count:,} orders of {PARTNERS} partners",
        ("page", "p50", "p95"),
        [(what, each["p50"], each["p95"]) for what, each in figures.items()],
    )
    keep("overview", {**figures, "bytes": weight}, orders=count, partners=PARTNERS)


async def _up(http: httpx.AsyncClient) -> None:
    async with asyncio.timeout(60):
        while True:
            with suppress(httpx.TransportError):
                if (await http.get("/healthz")).is_success:
                    return
            await asyncio.sleep(0.05)


async def _fill(database: Database, count: int) -> list[str]:
    """The orders, their partners, and a session of a login of each partner."""
    now = datetime.now(UTC)
    await fill(database, count)
    partners = Partners(database)
    made = []
    for n in range(PARTNERS):
        await partners.put(_partner(n), now)
        secret = new_secret()
        user = {
            "user_id": f"usr_{n}",
            "role": "partner",
            "partner_id": partner_id(n),
            "email": f"{n}@people.example",
            "email_key": f"{n}@people.example",
            "name": f"Person {n}",
            "language": "de",
            "totp_confirmed": False,
            "created_at": now,
        }
        session = {
            "secret_hash": hash_of(secret),
            "user_id": f"usr_{n}",
            "created_at": now,
            "last_used_at": now,
            "expires_at": now + timedelta(days=1),
        }
        async with database.writing() as connection:
            await connection.execute(insert(users), user)
            await connection.execute(insert(sessions), session)
        made.append(secret)
    return made


def _partner(n: int) -> Partner:
    return Partner(
        partner_id=partner_id(n),
        name=f"Partner {n} AG",
        canton="ZH",
        language="de",
        email=f"{n}@partners.example",
        phone="+41 44 555 00 00",
        street="Werkstrasse 1",
        postal_code="8004",
        city="Zürich",
    )


async def _measure(
    http: httpx.AsyncClient, cookie: str, secrets: list[str]
) -> tuple[dict[str, list[float]], int]:
    """Seconds of each answer by page, and the bytes of the largest one."""
    seconds: dict[str, list[float]] = {what: [] for what in PAGES}
    weight = 0
    for turn in range(ROUNDS + 1):
        for secret in secrets:
            for what, path in PAGES.items():
                begun = time.perf_counter()
                answer = await http.get(path, headers={"Cookie": f"{cookie}={secret}"})
                taken = time.perf_counter() - begun
                answer.raise_for_status()
                weight = max(weight, len(answer.content))
                if turn:
                    seconds[what].append(taken)
    return seconds, weight


async def _read(database: Database) -> list[float]:
    """Seconds of reading what the overview shows, without making a page of it."""
    worklists, taken = Worklists(database), []
    for turn in range(ROUNDS + 1):
        for n in range(PARTNERS):
            begun = time.perf_counter()
            await worklists.of(partner_id(n), STATES, SHOWN)
            if turn:
                taken.append(time.perf_counter() - begun)
    return taken
