"""An order that a newer build wrote, seen through an older web process: shown as far as it goes, never an error."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import update
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from contracts import names
from contracts.activities import Snapshot
from domain.errors import NotUnderstood
from domain.settlements.ids import settlement_id
from domain.values import LANGUAGES
from records.accounts import AccountRecords, UserRole
from records.settlements import Settlements
from records.tables import (
    documents,
    orders,
    settlement_documents,
    settlement_timeline,
    settlements,
    timeline,
)
from tests.server.surroundings import surroundings
from tests.support import builders
from tests.support.newer import ADDED, more, rewrite_rows
from tests.support.settlements import OCTOBER, issued, opening, settled
from tests.support.users import add_user
from tests.web.site import API, Site, site
from use_cases.link_mails import hash_of
from use_cases.order_gateway import _refusal
from use_cases.orders import TemporalAway
from web.security import session_cookie

pytestmark = pytest.mark.asyncio(loop_scope="session")

UNKNOWN = {
    "de": "Weiteres Ereignis, das diese Version noch nicht anzeigen kann",
    "fr": "Autre événement, que cette version ne peut pas encore afficher",
    "it": "Altro evento, che questa versione non può ancora mostrare",
    "en": "Another event, which this version cannot show yet",
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def newer_site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """An application with records of a newer release: SP-1 is on hold, SP-2 only has new fields."""
    folder = tmp_path_factory.mktemp("newer_site")
    async with surroundings(folder, up=False, within=None) as around, site(around) as running:
        placed = datetime.now(UTC) - timedelta(days=30)
        for sp_id in ("SP-1", "SP-2"):
            order, events = builders.lived(*builders.GOODS_THERE, at=placed, sp_id=sp_id)
            await around.orders.save(Snapshot(order=order, events=events))
        order, events = builders.lived(*builders.COMPLETED, sp_id="SP-3")
        await around.orders.save(Snapshot(order=order, events=events))
        of = opening("SP-3")
        await Settlements(around.database).save(settled(of, *issued(of)))
        await rewrite_rows(around.database, more)
        secret = {"type": "put_on_hold", "internal": "not for partners"}
        async with around.database.writing() as connection:
            table = documents.c.sp_id == "SP-1"
            found = (await connection.execute(documents.select().where(table))).one()
            document = {**json.loads(found.document), "status": "parked", "rules": 99}
            waits = {**document["deadlines"][-1], "kind": "hold_over", "ended": None}
            document["deadlines"].append({**waits, "outcome": None})
            await connection.execute(
                update(documents).where(table).values(document=json.dumps(document))
            )
            await connection.execute(
                update(orders).where(orders.c.sp_id == "SP-1").values(status="parked")
            )
            await connection.execute(
                update(timeline)
                .where(timeline.c.sp_id == "SP-1", timeline.c.seq == 4)
                .values(type="put_on_hold", data=json.dumps(secret))
            )
            found = (await connection.execute(settlement_documents.select())).one()
            left_out = [{"sp_id": "SP-9", "reason": "disputed"}]
            document = {**json.loads(found.document), "status": "hibernating", "left_out": left_out}
            await connection.execute(
                update(settlement_documents).values(document=json.dumps(document))
            )
            await connection.execute(update(settlements).values(status="hibernating"))
            await connection.execute(
                update(settlement_timeline)
                .where(settlement_timeline.c.seq == 2)
                .values(type="hibernating", data=json.dumps({**secret, "type": "hibernating"}))
            )
        yield running


async def test_an_order_is_answered_without_what_is_not_known(newer_site: Site) -> None:
    for language in LANGUAGES:
        for caller in (newer_site.partner, newer_site.operations):
            answer = await caller.get(f"{API}/orders/SP-1", headers={"Accept-Language": language})
            assert answer.status_code == 200
            order: dict[str, Any] = answer.json()
            assert (order["status"], order["status_label"]) == ("parked", "parked")
            assert (order["allowed"], order["ball"]) == ([], None)
            waiting = [deadline["kind"] for deadline in order["deadlines"]]
            assert ("hold_over" in waiting) == (caller is newer_site.operations)
            entry = order["timeline"][3]
            assert (entry["type"], entry["data"]) == ("put_on_hold", {})
            assert entry["text"] == UNKNOWN[language]
            assert ADDED not in answer.text
            assert "not for partners" not in answer.text


async def test_an_order_with_new_fields_is_answered_as_ever(newer_site: Site) -> None:
    for caller in (
        newer_site.partner,
        newer_site.operations,
        newer_site.shop,
    ):
        answer = await caller.get(f"{API}/orders/SP-2")
        assert answer.status_code == 200
        assert answer.json()["status"] == "set_appointment"
        assert ADDED not in answer.text


async def test_lists_and_counts_have_it(newer_site: Site) -> None:
    for caller in (newer_site.partner, newer_site.operations):
        answer = await caller.get(f"{API}/orders")
        assert answer.status_code == 200
        assert {item["sp_id"] for item in answer.json()["items"]} == {"SP-1", "SP-2", "SP-3"}
        assert answer.json()["counts"]["parked"] == 1
        assert ADDED not in answer.text
    asked = await newer_site.operations.get(f"{API}/orders?status=parked")
    assert asked.status_code == 422  # nobody can ask for a state that is not documented


async def test_a_settlement_is_answered_without_what_is_not_known(
    newer_site: Site,
) -> None:
    for language in LANGUAGES:
        for caller in (
            newer_site.partner,
            newer_site.operations,
            newer_site.accounting,
        ):
            answer = await caller.get(f"{API}/settlements", headers={"Accept-Language": language})
            assert answer.status_code == 200
            (settlement,) = answer.json()["items"]
            assert (settlement["status"], settlement["status_label"]) == (
                "hibernating",
                "hibernating",
            )
            assert settlement["allowed"] == []
            assert settlement["left_out"][0]["text"] == "disputed"
            entry = settlement["timeline"][1]
            assert (entry["type"], entry["text"], entry["data"]) == (
                "hibernating",
                UNKNOWN[language],
                {},
            )
            assert ADDED not in answer.text
    assert (
        await newer_site.operations.get(f"{API}/settlements?status=hibernating")
    ).status_code == 422


async def test_an_older_worker_is_waited_for() -> None:
    """A web process that is newer than the workers: the command was not taken, and may come again."""
    for kind in (names.UNREADABLE, NotUnderstood.__name__):
        failure = WorkflowUpdateFailedError(ApplicationError("of a newer release", type=kind))
        assert isinstance(_refusal("SP-1", failure), TemporalAway)


@pytest.mark.parametrize("role", ["operations", "partner"])
async def test_pages_show_it(newer_site: Site, role: UserRole) -> None:
    user_id, email, secret = f"usr_{role}", f"{role}@people.example", f"secret-{role}"
    records = AccountRecords(newer_site.around.database)
    partner_id = "elektro-huber" if role == "partner" else None
    now = datetime.now(UTC)
    await add_user(records, user_id, role, partner_id, email, "Petra", "de", now)
    await records.passwords.set(user_id, "no hash of a password", now)
    await records.begin_session(user_id, hash_of(secret), now, now + timedelta(days=1))
    cookies = {session_cookie(newer_site.app.state.settings): secret}
    async with httpx.AsyncClient(
        base_url=newer_site.address, cookies=cookies, follow_redirects=True
    ) as browser:
        number = settlement_id("elektro-huber", OCTOBER)
        for path in (
            *("/", "/orders", "/orders?q=SP-", "/orders/SP-1", "/orders/SP-2"),
            *("/settlements", f"/settlements/{number}"),
        ):
            page = await browser.get(path, headers={"Accept": "text/html"})
            assert (page.status_code, page.url.path != "/login") == (200, True), path
            assert ADDED not in page.text
            if path in ("/orders/SP-1", f"/settlements/{number}"):
                assert UNKNOWN["de"] in page.text
            if path.endswith("SP-"):
                assert "parked" in page.text
