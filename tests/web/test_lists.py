"""Lists: pages, cursors, searches, counts, what is overdue; and languages."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import pytest_asyncio

from contracts.activities import Snapshot
from domain.values import LANGUAGES
from tests.server.surroundings import surroundings
from tests.support import builders
from tests.support.limits import WAIT_LIMIT
from tests.web.site import API, Site, site
from web.languages import negotiate

pytestmark = pytest.mark.asyncio(loop_scope="session")

MINE, OTHER = "geneve-pose", "ticino-impianti"
LIVES = {
    "awaiting_payment": ((), True),
    "in_transmission": ((), False),
    "new": (builders.TRANSMITTED, False),
    "check_requirements": (builders.ACCEPTED, False),
    "requirements_met": (builders.REQUIREMENTS_MET, False),
    "set_appointment": (builders.GOODS_THERE, False),
    "confirm_execution": (builders.AGREED, False),
    "completed": (builders.COMPLETED, False),
    "billed": (builders.BILLED, False),
}
EACH = 3


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def filled_site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """An application whose records hold orders of two partners in every state. There are no workflows."""
    folder = tmp_path_factory.mktemp("lists")
    async with surroundings(folder, up=False, within=None) as around, site(around) as running:
        placed = datetime.now(UTC) - timedelta(days=60)
        for partner_id in (MINE, OTHER):
            for index, (steps, prepaid) in enumerate(list(LIVES.values()) * EACH):
                order, events = builders.lived(
                    *steps,
                    at=placed + timedelta(hours=index // 2),  # two at the same instant
                    sp_id=f"L-{partner_id[:2]}-{index:03}",
                    partner_id=partner_id,
                    prepaid=prepaid,
                    city="Carouge" if index % 2 else "Satigny",
                    name=f"Émilie Grüße {index} 100%_\\",
                )
                await around.orders.save(Snapshot(order=order, events=events))
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def partner(filled_site: Site) -> AsyncIterator[httpx.AsyncClient]:
    """One of the partners."""
    _, token = await filled_site.app.state.accounts.tokens.make("partner", "Lists", MINE)
    async with httpx.AsyncClient(
        base_url=filled_site.address,
        headers={"Authorization": f"Bearer {token}"},
        timeout=WAIT_LIMIT,
    ) as client:
        yield client


async def listed(client: httpx.AsyncClient, **query: object) -> dict:
    answer = await client.get(f"{API}/orders", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def walked(client: httpx.AsyncClient, **query: object) -> list[dict]:
    """All items, page by page."""
    items, cursor = [], ""
    while cursor is not None:
        page = await listed(client, cursor=cursor, **query)
        assert len(page["items"]) <= int(query["limit"])
        items += page["items"]
        cursor = page["next_cursor"]
    return items


async def test_a_partner_sees_its_own_from_the_moment_it_was_sent_them(
    filled_site: Site, partner: httpx.AsyncClient
) -> None:
    page = await listed(partner, limit=200)
    assert {item["partner_id"] for item in page["items"]} == {MINE}
    states = Counter(item["status"] for item in page["items"])
    visible = [status for status in LIVES if status not in ("awaiting_payment", "in_transmission")]
    assert states == dict.fromkeys(visible, EACH)
    assert page["counts"] == {
        **dict.fromkeys(visible, EACH),
        "under_review": 0,
        "on_hold": 0,
        "cancelled": 0,
    }
    assert not (await listed(partner, status="in_transmission"))["items"]
    # Another's name finds nothing, and counts nothing.
    foreign = await listed(partner, partner_id=OTHER)
    assert foreign["items"] == []
    assert set(foreign["counts"].values()) == {0}
    assert (await listed(partner, partner_id=MINE))["items"]
    assert not (await listed(partner, q=f"L-{OTHER[:2]}"))["items"]


async def test_staff_sees_all_and_can_choose_a_partner(
    filled_site: Site, partner: httpx.AsyncClient
) -> None:
    for caller in (filled_site.operations, filled_site.shop, filled_site.accounting):
        page = await listed(caller, partner_id=MINE, limit=200)
        assert Counter(item["status"] for item in page["items"]) == dict.fromkeys(LIVES, EACH)
        assert page["counts"]["awaiting_payment"] == EACH
        assert sum(page["counts"].values()) == len(LIVES) * EACH


async def test_pages_hold_everything_once_newest_first(
    filled_site: Site, partner: httpx.AsyncClient
) -> None:
    whole = [item["sp_id"] for item in (await listed(partner, limit=200))["items"]]
    for limit in (1, 2, 5, 7):
        assert [item["sp_id"] for item in await walked(partner, limit=limit)] == whole
    placed = [
        item["sp_id"] for item in await walked(filled_site.operations, limit=4, partner_id=MINE)
    ]
    assert placed == sorted(placed, reverse=True)
    assert [i["sp_id"] for i in await walked(partner, limit=2, status="new")] == [
        i["sp_id"] for i in (await listed(partner, status="new"))["items"]
    ]


async def test_orders_are_listed_as_they_are_answered(
    filled_site: Site, partner: httpx.AsyncClient
) -> None:
    for caller in (partner, filled_site.operations):
        for item in (await listed(caller, limit=5, partner_id=MINE))["items"]:
            one = (await caller.get(f"{API}/orders/{item['sp_id']}")).json()
            only_single = {name: one[name] for name in ("timeline", "related", "clashes")}
            assert {**item, **only_single} == one


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("L-ge-002", 1),
        ("l-GE-00", 7),
        ("48392011", 21),
        ("émilie", 21),
        ("EMILIE", 21),
        ("grüsse 5", 21),
        ("Carouge", 10),
        ("100%_\\", 21),
        ("%", 21),
        ("_", 21),
        ("nobody", 0),
        ("", 21),
        ("\0", 0),
        ("\ud83d", 0),
    ],
)
async def test_searches(partner: httpx.AsyncClient, q: str, found: int) -> None:
    escaped = httpx.QueryParams({"q": q}) if "\ud83d" not in q else "q=%ed%a0%bd"
    answer = await partner.get(f"{API}/orders?limit=200&{escaped}")
    assert answer.status_code == 200
    page = answer.json()
    assert len(page["items"]) == found
    assert sum(page["counts"].values()) == found


async def test_what_is_overdue(filled_site: Site, partner: httpx.AsyncClient) -> None:
    page = await listed(partner, overdue="true", limit=200)
    assert page["items"]
    for item in page["items"]:
        assert any(d["overdue"] for d in item["deadlines"])
    on_time = (await listed(partner, overdue="false", limit=200))["items"]
    assert len(on_time) > len(page["items"])
    # The retailer's deadlines are none of the partner's.
    assert "requirements_met" not in {item["status"] for item in page["items"]}
    staff = await listed(filled_site.operations, overdue="true", partner_id=MINE, limit=200)
    assert "requirements_met" in {item["status"] for item in staff["items"]}
    assert page["counts"]["completed"] == 0


@pytest.mark.parametrize(
    ("header", "label", "language"),
    [
        (None, "Auftrag akzeptieren", "de"),
        ("fr", "Accepter le mandat", "fr"),
        ("it-CH", "Accettare", "it"),
        ("en;q=0.8, fr;q=0.9", "Accepter le mandat", "fr"),
        ("ja, en;q=0.1", "Accept order", "en"),
        ("rm", "Auftrag akzeptieren", "de"),
        ("*", "Auftrag akzeptieren", "de"),
        ("en;q=0", "Auftrag akzeptieren", "de"),
        ("x" * 5000, "Auftrag akzeptieren", "de"),
        (";;;q=1,,", "Auftrag akzeptieren", "de"),
    ],
)
async def test_labels_in_the_caller_s_language(
    partner: httpx.AsyncClient, header: str | None, label: str, language: str
) -> None:
    headers = {"Accept-Language": header} if header else {}
    answer = await partner.get(f"{API}/orders/L-ge-002", headers=headers)
    assert answer.json()["status_label"].startswith(label)
    assert answer.headers["Content-Language"] == language
    assert "Accept-Language" in answer.headers["Vary"]


async def test_refusals_in_the_caller_s_language(cmi: Site) -> None:
    sp_id = await cmi.new()
    told = {
        language: (
            await cmi.post(
                cmi.partner, sp_id, "execution", {"executed": True}, Accept_Language=language
            )
        ).json()["detail"]
        for language in LANGUAGES
    }
    assert len(set(told.values())) == len(LANGUAGES)
    assert told["en"].startswith("“Confirm execution” is not possible")


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("de-CH,de;q=0.9,en;q=0.8", "de"),
        ("en-GB, *;q=0.5", "en"),
        ("fr;q=0.5, it;q=0.5", "fr"),
        ("FR", "fr"),
        ("it; q=1.0", "it"),
        ("en;q=2", "de"),
        ("en;q=abc, it;q=0.1", "it"),
        ("", "de"),
    ],
)
async def test_negotiation(header: str, language: str) -> None:
    assert negotiate(header) == language
