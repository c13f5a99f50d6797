"""Two web processes and three workers over one PostgreSQL database, killed now and then, behave as one."""

import asyncio
import re
import sys
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from development.embedded import ROOT, free_port
from tests.server.surroundings import Surroundings, eventually, surroundings
from tests.server.test_restarts import IMPATIENT
from tests.support.limits import WAIT_LIMIT
from tests.support.processes import Process
from tests.use_cases.conftest import PASSWORD
from tests.web.site import API, PATH, order, tokens
from tests.web.test_login import Browser
from use_cases.accounts import Accounts

ORDERS = 4
EMAIL = "petra@elektro-huber.example"
DOUBLED = 4
"""Mails that may come twice for each worker that is killed, with the same Message-ID (docs/mail.md)."""
EVENTS = (
    "placed",
    "accepted",
    "requirements_confirmed",
    "goods_shipped",
    "goods_received",
    "appointment_set",
    "execution_confirmed",
)


class Web:
    """A web process on a port of its own."""

    def __init__(self, around: Surroundings, number: int) -> None:
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        env = {**around.env, "CMI_HTTP_PORT": str(port)}
        log = around.folder / f"web-{number}.log"
        self.process = Process([sys.executable, "-m", "web"], env, log)

    async def up(self) -> None:
        """Start it, and wait until it answers."""
        self.process.start()

        async def answers() -> bool:
            try:
                async with httpx.AsyncClient() as http:
                    return (await http.get(f"{self.address}/readyz")).is_success
            except httpx.TransportError:
                return False

        await eventually(answers)


class Either:
    """A caller who takes the web processes by turns, and the other one if one does not answer."""

    def __init__(self, webs: list[Web], token: str) -> None:
        self._webs = webs
        headers = {"Authorization": f"Bearer {token}"}
        self._http = httpx.AsyncClient(headers=headers, timeout=WAIT_LIMIT)
        self._turn = 0

    async def post(self, path: str, body: Any) -> tuple[str, httpx.Response]:
        """The key of the call and its answer, which is a success. Repeated with the key until there is an answer."""
        key = uuid.uuid4().hex

        async def sent() -> httpx.Response | None:
            answer = await self._send("POST", path, json=body, headers={"Idempotency-Key": key})
            if answer is None or answer.status_code in (429, 503):
                return None
            assert answer.is_success, answer.text
            return answer

        return key, await eventually(sent)

    async def repeat(self, web: Web, path: str, body: Any, key: str) -> httpx.Response:
        """The same call, to this process."""
        return await self._http.post(
            f"{web.address}{API}{path}", json=body, headers={"Idempotency-Key": key}
        )

    async def get(self, web: Web, path: str) -> dict[str, Any]:
        """What this process says."""
        answer = await self._http.get(f"{web.address}{API}{path}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def _send(self, method: str, path: str, **more: Any) -> httpx.Response | None:
        self._turn += 1
        web = self._webs[self._turn % len(self._webs)]
        try:
            return await self._http.request(method, f"{web.address}{API}{path}", **more)
        except httpx.TransportError:
            return None

    async def close(self) -> None:
        """Hang up."""
        await self._http.aclose()


@asynccontextmanager
async def running(around: Surroundings) -> AsyncIterator[tuple[list[Web], list[Process]]]:
    """Two web processes and three workers."""
    webs = [Web(around, number) for number in range(2)]
    workers = []
    for number in range(3):
        alive = str(around.folder / f"alive-{number}")
        env = {**around.env, "PYTHONPATH": str(ROOT), "CMI_WORKER_LIVENESS_FILE": alive}
        log = around.folder / f"worker-{number}.log"
        workers.append(Process([sys.executable, "-c", IMPATIENT], env, log))
    try:
        for worker in workers:
            worker.start()
        await asyncio.gather(*(web.up() for web in webs))
        yield webs, workers
    finally:
        for process in (*workers, *(web.process for web in webs)):
            process.kill()


async def test_two_web_processes_and_three_workers_behave_as_one(tmp_path: Path) -> None:
    async with surroundings(tmp_path, shared=True) as around, running(around) as (webs, workers):
        made = await tokens(around.settings, around.database)
        callers = {role: Either(webs, made[role]) for role in made}
        sp_ids = await _live(around, webs, workers, callers)
        await _check_orders(webs, callers["partner"], sp_ids)
        await _check_mails(around, sp_ids)
        await _check_sessions(around, webs)
        for caller in callers.values():
            await caller.close()


async def _live(
    around: Surroundings, webs: list[Web], workers: list[Process], callers: dict[str, Either]
) -> list[str]:
    """Orders from their placement to their completion; at each step a process is killed, and started again."""
    shop, partner, desk = (callers[role] for role in ("shop", "partner", "operations"))
    bodies = [order() for _ in range(ORDERS)]
    placed = await asyncio.gather(*(shop.post("/orders", body) for body in bodies))
    sp_ids = [str(body["sp_id"]) for body in bodies]
    for body, (key, answer) in zip(bodies, placed, strict=True):
        for web in webs:  # whichever made it, the other one gives the same answer
            again = await shop.repeat(web, "/orders", body, key)
            assert (again.status_code, again.content) == (answer.status_code, answer.content)
    await _all_reach(around, desk, webs, sp_ids, "new")
    victims: list[Web | Process] = [workers[0], webs[0], workers[1], webs[1], workers[2]]
    for (call, body, reached), victim in zip(PATH, [*victims, None], strict=True):
        caller = callers["warehouse"] if call.startswith("goods") else partner
        said = body() if callable(body) else body
        calls = [
            asyncio.create_task(caller.post(f"/orders/{sp_id}/{call}", said)) for sp_id in sp_ids
        ]
        match victim:
            case Web():
                victim.process.kill()
                await victim.up()
            case Process():
                victim.kill()
                victim.start()
        answered = await asyncio.gather(*calls)
        key, answer = answered[0]
        for web in webs:
            again = await caller.repeat(web, f"/orders/{sp_ids[0]}/{call}", said, key)
            assert (again.status_code, again.content) == (answer.status_code, answer.content)
        await _all_reach(around, desk, webs, sp_ids, reached)
        if call == "goods-received":
            await _all_have(desk, webs, sp_ids, "goods_received")
    return sp_ids


async def _all_reach(
    around: Surroundings, caller: Either, webs: list[Web], sp_ids: list[str], status: str
) -> None:
    """Wait until the orders are all in this state, and check that both processes list them in it."""
    await around.all_reach(sp_ids, status)
    for web in webs:
        items = (await caller.get(web, "/orders"))["items"]
        assert {each["sp_id"]: each["status"] for each in items} == dict.fromkeys(sp_ids, status)


async def _all_have(caller: Either, webs: list[Web], sp_ids: list[str], event: str) -> None:
    async def there() -> bool:
        found = [await caller.get(webs[0], f"/orders/{sp_id}") for sp_id in sp_ids]
        return all(any(e["type"] == event for e in each["timeline"]) for each in found)

    await eventually(there)


async def _check_orders(webs: list[Web], partner: Either, sp_ids: list[str]) -> None:
    """Each order is there once, each thing happened once, and both processes say the same."""
    for sp_id in sp_ids:
        first, second = [await partner.get(web, f"/orders/{sp_id}") for web in webs]
        assert first == second
        types = Counter(event["type"] for event in first["timeline"])
        assert {name: types[name] for name in EVENTS} == dict.fromkeys(EVENTS, 1)
    listed = [await partner.get(web, "/orders") for web in webs]
    assert listed[0] == listed[1]
    assert sorted(each["sp_id"] for each in listed[0]["items"]) == sorted(sp_ids)


async def _check_mails(around: Surroundings, sp_ids: list[str]) -> None:
    """Each mail came once, but for those that a killed worker had handed in and not noted."""
    for sp_id in sp_ids:
        assert around.inbox.ids(sp_id)
        subjects = Counter(
            mail["Subject"]
            for mail in {each["Message-ID"]: each for each in around.inbox.mails(sp_id)}.values()
        )
        assert set(subjects.values()) == {1}, subjects
    doubled = [times for times in Counter(around.inbox.ids()).values() if times > 1]
    assert len(doubled) <= 3 * DOUBLED
    assert around.requests() == sorted(f"{sp_id}-1" for sp_id in sp_ids)


async def _check_sessions(around: Surroundings, webs: list[Web]) -> None:
    """A login at one process is one at the other, and so is its end; both count the same attempts."""
    one, other = (web.address for web in webs)
    accounts = Accounts(around.database, around.settings)
    await accounts.invite("elektro-huber", "partner", EMAIL, "Petra Huber")
    await accounts.close()
    (invitation,) = [mail for mail in around.inbox.mails() if EMAIL in mail["To"]]
    part = invitation.get_body(("plain",))
    assert part is not None
    found = re.search(r"/invitation/([A-Za-z0-9_-]{43})\s", str(part.get_content()))
    assert found is not None
    await accounts.accept_invitation(found[1], PASSWORD)
    async with httpx.AsyncClient(timeout=WAIT_LIMIT) as http:
        browser = Browser(http)
        await browser.open(f"{one}/login")
        answer = await browser.send(f"{other}/login", email=EMAIL, password=PASSWORD)
        assert answer.status_code == 303, answer.text
        versions = [await http.get(f"{at}/overview/version") for at in (one, other)]
        assert [each.status_code for each in versions] == [200, 200]
        assert versions[0].json() == versions[1].json()
        await browser.open(f"{other}/account")
        answer = await browser.send(f"{one}/logout")
        assert answer.status_code == 303
        for at in (one, other):
            assert (await http.get(f"{at}/account")).headers["Location"].startswith("/login")
    async with httpx.AsyncClient(timeout=WAIT_LIMIT) as http:
        browser = Browser(http)
        codes = []
        for at in (one, other, one, other, one):  # three are free; then a minute has to pass
            await browser.open(f"{at}/reset")
            codes.append((await browser.send(f"{at}/reset", email="x@y.example")).status_code)
        assert codes[3:] == [429, 429], codes
        assert 429 not in codes[:3]
