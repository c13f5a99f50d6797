"""Somebody is away while a month is settled: nobody is left hanging, and nothing is lost."""

import asyncio
from pathlib import Path

from tests.invoices.papers import paper
from tests.server.surroundings import eventually, surroundings
from tests.support.databases import kept_from_writers
from tests.web.firms import firm
from tests.web.site import API, Site, site
from tests.web.test_absences import SHARED, is_unavailable, policy, timed


async def test_the_worker_then_temporal_are_away(tmp_path: Path) -> None:
    async with (
        surroundings(tmp_path, CMI_POLICY=policy(tmp_path)) as around,
        site(around) as cmi,
    ):
        async with around.worker():
            one, other = await firm(cmi), await firm(cmi)
            first = await one.completed("10.00")
            second = await other.completed("20.00")
            number = (await one.issued(first))["settlement_id"]
        # No worker is up: a settlement is opened all the same, and goes on when there is one again.
        path = f"{API}/settlements/{number}"
        reason = {"reason": "wrong fee"}
        (opened, took), (voiding, took_to_void) = await asyncio.gather(
            timed(other.settle(second)),
            timed(
                cmi.operations.post(f"{path}/void", json=reason, headers={"Idempotency-Key": "v-1"})
            ),
        )
        assert opened.status_code == 201, opened.text
        assert took < 5
        waiting = opened.json()["settlement_id"]
        assert is_unavailable(voiding)
        assert took_to_void < 10
        async with around.worker():
            again = await cmi.operations.post(
                f"{path}/void", json=reason, headers={"Idempotency-Key": "v-1"}
            )
            assert again.status_code == 200, again.text
            kinds = [entry["type"] for entry in again.json()["timeline"]]
            assert kinds.count("voided") == 1
            seen = await other.reaches(waiting, "issued")
            assert [line["sp_id"] for line in seen["orders"]] == second

            around.server.kill()
            for answer in await asyncio.gather(
                cmi.operations.post(f"{API}/settlements/{waiting}/void", json=reason),
                other.upload(waiting, paper(["x"])),
                other.http.get(f"{API}/settlements/{waiting}/draft-invoice.pdf"),
            ):
                assert is_unavailable(answer)
            # What the records hold can be read.
            found = await other.http.get(f"{API}/settlements/{waiting}/statement.pdf")
            assert found.status_code == 200
            assert (await one.http.get(f"{API}/settlements")).status_code == 200


@SHARED
async def test_the_database_is_away(cmi: Site) -> None:
    one = await firm(cmi)
    sp_ids = await one.completed("10.00")
    async with kept_from_writers(cmi.around.database):
        # Another process keeps the database to itself.
        answer = await one.settle(sp_ids, Idempotency_Key="s-1")
        assert answer.status_code in (201, 503), answer.text
        if answer.status_code == 503:
            assert is_unavailable(answer)

    async def settled() -> bool:
        again = await one.settle(sp_ids, Idempotency_Key="s-1")
        return again.status_code == 201

    await eventually(settled)
    (item,) = (await one.http.get(f"{API}/settlements")).json()["items"]
    await one.reaches(item["settlement_id"], "issued")
