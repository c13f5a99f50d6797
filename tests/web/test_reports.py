"""The deadline report, asked from outside: figures, months, the table for a spreadsheet."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from contracts.activities import Snapshot
from domain.orders.commands import Cancel, ConfirmExecution
from domain.orders.shipment import GoodsReceived, GoodsShipped
from tests.server.surroundings import surroundings
from tests.support import builders
from tests.support.builders import MONDAY
from tests.web.site import API, Site, site

pytestmark = pytest.mark.asyncio(loop_scope="session")

PATH = f"{API}/reports/deadlines"
SLOW = timedelta(days=3)
DONE = (builders.appointment(120), timedelta(days=3), ConfirmExecution())
# Of each kind of life how many; what its orders come to in October 2026 is what the tests know.
LIVES: tuple[tuple[str, int, tuple[builders.Step, ...]], ...] = (
    ("good", 4, builders.BILLED),
    (
        "late-to-accept",
        1,
        (*builders.TRANSMITTED, SLOW, *builders.GOODS_THERE[len(builders.TRANSMITTED) :], *DONE),
    ),
    ("cancelled", 1, (*builders.TRANSMITTED, Cancel(reason="changed my mind"))),
    (
        "told-late",
        2,
        (
            *builders.REQUIREMENTS_MET,
            GoodsShipped(tracking="99.00.1"),
            timedelta(days=1),
            GoodsReceived(received_at=MONDAY + timedelta(hours=2)),
            timedelta(hours=22),
            *DONE,
        ),
    ),
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def october_site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """An application whose records hold a past October. There are no workflows."""
    async with (
        surroundings(tmp_path_factory.mktemp("reports"), up=False, within=None) as around,
        site(around) as running,
    ):
        for name, count, steps in LIVES:
            for number in range(count):
                order, events = builders.lived(*steps, sp_id=f"R-{name}-{number:02}")
                await around.orders.save(Snapshot(order=order, events=events))
        yield running


async def reported(client: httpx.AsyncClient, month: str = "2026-10") -> dict[str, Any]:
    answer = await client.get(PATH, params={"month": month})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_what_a_partner_made_of_its_deadlines(october_site: Site) -> None:
    report = await reported(october_site.operations)
    assert (report["month"], report["target"]) == ("2026-10", 0.98)
    assert datetime.fromisoformat(report["as_of"]).utcoffset() == timedelta()
    kinds = {item.pop("kind"): item for item in report["items"]}
    assert list(kinds) == [
        "accept",
        "check_requirements",
        "contact_customer",
        "set_appointment",
        "confirm_execution",
    ]
    assert kinds["accept"] == {
        "partner_id": "elektro-huber",
        "partner_name": past_name(report),
        "orders": 7,
        "met": 6,
        "missed": 1,
        "on_time_share": 0.8571,
        "on_target": False,
    }
    # Told on Tuesday of what was there on Monday, and agreed within a working day of that.
    assert (kinds["set_appointment"]["met"], kinds["set_appointment"]["missed"]) == (5, 0)
    assert kinds["set_appointment"]["on_time_share"] == 1
    assert kinds["set_appointment"]["on_target"]
    total = report["partners"][0]
    assert total["met"] == sum(item["met"] for item in kinds.values())
    assert total["missed"] == sum(item["missed"] for item in kinds.values()) > 0
    assert total["on_time_share"] == round(total["met"] / (total["met"] + total["missed"]), 4)


def past_name(report: dict[str, Any]) -> str:
    """The partner's name, as the sample partners have it."""
    name: str = report["partners"][0]["partner_name"]
    assert name != "elektro-huber"
    return name


async def test_a_month_without_deadlines(october_site: Site) -> None:
    report = await reported(october_site.operations, "2024-02")
    assert (report["items"], report["partners"]) == ([], [])


@pytest.mark.parametrize(
    "month", [None, "", "2026", "2026-13", "2026-00", "2026-1", "10-2026", "1999-01", "２０２６-10", "2026-10 "]
)  # fmt: skip
async def test_a_malformed_month_is_named(october_site: Site, month: str | None) -> None:
    answer = await october_site.operations.get(
        PATH, params={"month": month} if month is not None else {}
    )
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["month"]


async def test_as_a_table(october_site: Site) -> None:
    answer = await october_site.operations.get(
        PATH, params={"month": "2026-10"}, headers={"Accept": "text/csv"}
    )
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert 'filename="deadlines-2026-10.csv"' in answer.headers["Content-Disposition"]
    assert answer.content.startswith(b"\xef\xbb\xbfmonth;partner_id;partner_name;kind;")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")), delimiter=";"))
    report = await reported(october_site.operations)
    assert [(row["kind"], row["met"], row["missed"]) for row in rows] == [
        (item["kind"], str(item["met"]), str(item["missed"])) for item in report["items"]
    ]
    assert [float(row["on_time_share"]) for row in rows] == [
        item["on_time_share"] for item in report["items"]
    ]
    # Who takes JSON as well gets JSON.
    both = {"Accept": "text/csv, application/json"}
    mixed = await october_site.operations.get(PATH, params={"month": "2026-10"}, headers=both)
    assert mixed.headers["Content-Type"] == "application/json"


async def test_no_name_becomes_a_formula(october_site: Site) -> None:
    changed = await october_site.operations.patch(
        f"{API}/partners/elektro-huber", json={"name": '=HYPERLINK("https://evil.example")'}
    )
    assert changed.status_code == 200, changed.text
    answer = await october_site.operations.get(
        PATH, params={"month": "2026-10"}, headers={"Accept": "text/csv"}
    )
    rows = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")), delimiter=";")
    assert {row["partner_name"] for row in rows} == {'\'=HYPERLINK("https://evil.example")'}
