"""Somebody is away: the worker, Temporal, the database. Nobody is left hanging, and nothing is lost."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from development.embedded import free_port
from records.limits import LIMIT_SECONDS
from temporal import orders as workflow_client
from tests.server.surroundings import Surroundings, eventually, surroundings
from tests.server.test_reconciler import forget
from tests.support.databases import kept_from_writers
from tests.support.limits import WAIT_LIMIT
from tests.web.site import API, CHECKLIST, POLICY, Site, agreed, order, serving, site

SHARED = pytest.mark.asyncio(loop_scope="session")
"""On a test of the application that others use as well."""


def policy(folder: Path) -> str:
    """The path of a policy file that sends orders at once."""
    (folder / "web.toml").write_text(POLICY)
    return str(folder / "web.toml")


async def timed(work: asyncio.Future[httpx.Response] | object) -> tuple[httpx.Response, float]:
    """An answer, and how long it took."""
    began = time.monotonic()
    answer = await work  # type: ignore[misc]
    return answer, time.monotonic() - began


def is_unavailable(answer: httpx.Response) -> bool:
    """503 as the contract has it."""
    assert answer.status_code == 503, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert int(answer.headers["Retry-After"]) >= 1
    return True


async def events(around: Surroundings, sp_id: str) -> list[str]:
    """The types of an order's events, as the records have them."""
    stored = await around.orders.get(sp_id)
    assert stored is not None
    return [recorded.event.type for recorded in stored.events]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def idle(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """The application without a worker, which each test starts when it needs one."""
    folder = tmp_path_factory.mktemp("idle")
    async with (
        surroundings(folder, within=None, CMI_POLICY=policy(folder)) as around,
        site(around) as running,
    ):
        yield running


@SHARED
async def test_no_worker_then_one_again(idle: Site) -> None:
    cmi, around = idle, idle.around
    async with around.worker():
        first, second = await cmi.new(), await cmi.new()
        late, checked = await cmi.new(), await cmi.new()
        await cmi.do(cmi.partner, checked, "accept")
    # With no worker up orders are placed and found all the same.
    placed = await cmi.place()
    found = await cmi.operations.get(f"{API}/orders/{placed['sp_id']}")
    assert found.json()["version"] == placed["version"]

    key = {"Idempotency_Key": "a-1"}
    answers = await asyncio.gather(
        *(
            timed(call)
            for call in (
                cmi.post(cmi.partner, first, "accept", **key),
                cmi.post(cmi.partner, second, "accept"),
                cmi.post(cmi.partner, late, "execution", {"executed": True}),
                cmi.post(cmi.shop, placed["sp_id"], "cancel", {"reason": "Withdrawn"}),
            )
        )
    )
    for answer, seconds in answers:
        assert answer.status_code == 202, answer.text
        assert answer.json()["stored"] is True
        assert seconds < 5
    repeated = await cmi.post(cmi.partner, first, "accept", **key)
    assert (repeated.status_code, repeated.json()["sp_id"]) == (202, first)
    # What can never be is still said at once, and what is not its own is not there.
    no_space = {"met": True, "checklist": {**CHECKLIST, "space": "no"}}
    wrong = await cmi.post(cmi.partner, checked, "requirements", no_space)
    assert wrong.json()["errors"][0]["field"] == "checklist.space"
    assert (await cmi.post(cmi.stranger, first, "accept")).status_code == 404
    told, seconds = await timed(cmi.post(cmi.warehouse, first, "goods-received"))
    assert (told.status_code, seconds < 2) == (202, True)

    async with around.worker():
        await cmi.reaches(first, "check_requirements")
        await cmi.reaches(second, "check_requirements")
        await cmi.reaches(placed["sp_id"], "cancelled")
        for sp_id in (first, second):
            assert (await events(around, sp_id)).count("accepted") == 1
        # What was not allowed is noted, and mailed to its sender.
        await eventually(lambda: len(around.inbox.mails(late)) == 2)
        assert "command_refused" in await events(around, late)


@SHARED
async def test_no_worker_and_many_callers(idle: Site) -> None:
    cmi, around = idle, idle.around
    async with around.worker():
        sp_id = await cmi.new()
    answers = await asyncio.gather(
        *(timed(cmi.post(cmi.partner, sp_id, "accept")) for _ in range(30))
    )
    assert {answer.status_code for answer, _ in answers} == {202}
    assert max(seconds for _, seconds in answers) < 10
    async with around.worker():
        await cmi.reaches(sp_id, "check_requirements")
        assert (await events(around, sp_id)).count("accepted") == 1


async def test_temporal_is_away_from_the_start(tmp_path: Path) -> None:
    async with surroundings(tmp_path, up=False) as around, site(around) as cmi:
        assert (await cmi.nobody.get("/healthz")).json() == {"status": "ok"}
        ready = await cmi.nobody.get("/readyz")
        assert is_unavailable(ready)
        assert (ready.json()["temporal"], ready.json()["database"]) == ("away", "ok")
        answer, seconds = await timed(cmi.shop.post(f"{API}/orders", json=order()))
        assert is_unavailable(answer)
        assert seconds < 5
        # Reading goes on; who is nobody is still told so.
        assert (await cmi.operations.get(f"{API}/orders")).json()["items"] == []
        assert (await cmi.partner.get(f"{API}/orders/SP-1")).status_code == 404
        assert is_unavailable(await cmi.operations.get(f"{API}/orders/SP-1"))
        assert (await cmi.nobody.get(f"{API}/orders")).status_code == 401
        # It comes up, and all is well without a new start.
        around.server.start()
        await around.connect()
        async with around.worker():
            await eventually(lambda: placed(cmi))
            assert (await cmi.nobody.get("/readyz")).status_code == 200


async def placed(cmi: Site) -> bool:
    """Whether an order can be placed."""
    return (await cmi.shop.post(f"{API}/orders", json=order())).status_code == 201


@SHARED
async def test_the_database_is_away(idle: Site) -> None:
    around = idle.around
    nowhere = f"postgresql+asyncpg://cmi:secret@127.0.0.1:{free_port()}/cmi"
    settings = around.settings.model_copy(update={"database_url": nowhere})
    async with serving(settings, around.address) as (_, address):
        headers = {"Authorization": "Bearer cmi_" + "x" * 43}
        async with httpx.AsyncClient(
            base_url=address, headers=headers, timeout=WAIT_LIMIT
        ) as client:
            for answer, seconds in await asyncio.gather(
                timed(client.get(f"{API}/orders")),
                timed(client.get(f"{API}/orders/SP-1")),
                timed(client.post(f"{API}/orders", json=order())),
                timed(client.post(f"{API}/orders/SP-1/accept")),
                timed(client.post(f"{API}/orders/SP-1/goods-received")),
            ):
                assert is_unavailable(answer)
                assert "secret" not in answer.text
                assert seconds < 5
            assert (await client.get("/healthz")).status_code == 200
            ready = await client.get("/readyz")
            assert is_unavailable(ready)
            assert (ready.json()["temporal"], ready.json()["database"]) == ("ok", "away")


@SHARED
async def test_the_database_is_locked(idle: Site) -> None:
    """Reading goes on; what must be written is refused once the limit is over, however many wait."""
    cmi, around = idle, idle.around
    body = {"email": "neu@huber.example", "name": "Neu"}
    users = f"{API}/partners/elektro-huber/users"
    async with kept_from_writers(around.database):
        answers = await asyncio.gather(
            *(timed(cmi.operations.post(users, json=body)) for _ in range(8))
        )
        for answer, seconds in answers:
            assert is_unavailable(answer)
            assert seconds < LIMIT_SECONDS * 1.8  # and not so long for each that waits
        for caller in (cmi.operations, cmi.partner):
            answer, seconds = await timed(caller.get(f"{API}/orders"))
            assert answer.status_code == 200
            assert seconds < 1
    made = await cmi.operations.post(users, json=body)
    assert made.status_code == 201


@SHARED
async def test_the_records_lag_behind(idle: Site) -> None:
    """What the workflow could not record yet the caller finds all the same: in the answer, the next look, the lists."""
    cmi, around = idle, idle.around
    async with around.worker():
        sp_id = await cmi.new()
        # Another process keeps the database to itself for longer than the workflow's write waits.
        writing = kept_from_writers(around.database)
        entered = asyncio.Event()
        release = asyncio.Event()

        async def hold() -> None:
            async with writing:
                entered.set()
                await release.wait()

        holder = asyncio.create_task(hold())
        await entered.wait()
        call = asyncio.create_task(cmi.post(cmi.partner, sp_id, "accept"))
        await asyncio.sleep(2.5)
        release.set()
        await holder
        answer = await call
        assert (answer.status_code, answer.json()["status"]) == (200, "check_requirements")
        seen = (await cmi.partner.get(f"{API}/orders/{sp_id}")).json()
        assert seen["version"] >= answer.json()["version"]
        listed = (await cmi.partner.get(f"{API}/orders", params={"q": sp_id})).json()
        assert listed["items"][0]["status"] == "check_requirements"


@SHARED
async def test_an_order_that_the_records_have_not_got_yet_is_found(idle: Site) -> None:
    cmi, around = idle, idle.around
    placed = await cmi.place(prepaid=True)
    await forget(around, placed["sp_id"])
    # Nobody can tell just now whether there is such an order; later they can.
    assert is_unavailable(await cmi.shop.get(f"{API}/orders/{placed['sp_id']}"))
    async with around.worker():
        found = await cmi.shop.get(f"{API}/orders/{placed['sp_id']}")
        assert found.status_code == 200
        assert await around.orders.get(placed["sp_id"]) is not None
        assert (await cmi.shop.get(f"{API}/orders/SP-0")).status_code == 404


@SHARED
async def test_an_order_whose_workflow_is_dead(cmi: Site) -> None:
    sp_id = await cmi.new()
    await cmi.around.client.get_workflow_handle(sp_id).terminate("by hand")
    refused = await cmi.post(cmi.partner, sp_id, "accept")
    assert refused.status_code == 409
    assert (refused.json()["allowed"], refused.json()["order_status"]) == ([], "new")
    # The warehouse's word is not lost: it comes again, until somebody has revived the order.
    assert is_unavailable(await cmi.post(cmi.warehouse, sp_id, "goods-received"))


@SHARED
async def test_a_worker_that_is_gone_before_the_answer_is_read(
    cmi: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    sp_id = await cmi.new()
    await cmi.brought(sp_id, "set_appointment")
    answered = workflow_client.send_command

    async def of_the_future(*arguments: object) -> object:
        answer = await answered(*arguments)  # type: ignore[arg-type]
        return answer.model_copy(update={"version": answer.version + 1})

    monkeypatch.setattr(workflow_client, "send_command", of_the_future)
    answer = await cmi.post(cmi.partner, sp_id, "appointment", agreed())
    assert answer.status_code == 202


@SHARED
async def test_temporal_goes_away_and_comes_back(idle: Site) -> None:
    """The last test of this application: if it fails, Temporal stays away."""
    cmi, around = idle, idle.around
    async with around.worker():
        sp_id = await cmi.new()
    around.server.kill()
    body = order()
    answers = await asyncio.gather(
        timed(cmi.post(cmi.partner, sp_id, "accept", Idempotency_Key="temporal-1")),
        timed(cmi.post(cmi.partner, sp_id, "accept", Prefer="respond-async")),
        timed(cmi.post(cmi.warehouse, sp_id, "goods-received")),
        timed(cmi.shop.post(f"{API}/orders", json=body)),
    )
    for answer, seconds in answers:
        assert is_unavailable(answer)
        assert seconds < 7
    seen = await cmi.partner.get(f"{API}/orders/{sp_id}")
    assert (seen.status_code, seen.json()["status"]) == (200, "new")
    around.server.start()
    await around.connect()
    async with around.worker():
        # The same call again, as the caller was told.
        answer = await cmi.post(cmi.partner, sp_id, "accept", Idempotency_Key="temporal-1")
        assert answer.status_code in (200, 202)
        await cmi.reaches(sp_id, "check_requirements")
        again = await cmi.shop.post(f"{API}/orders", json=body)
        assert again.status_code in (200, 201)
