"""The pages of operations: each at a desk and on a phone, light and dark, and for nobody else."""

import csv
import io
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import httpx
import pytest
import pytest_asyncio

from domain.values import Language
from tests.portal.bad_day import LATE, NOTE, bad_day
from tests.portal.portal import Device, Portal, axe, fits
from tests.portal.visitor import visitor
from tests.web.site import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

PATHS = (
    "/staff",
    "/staff/unassigned",
    "/staff/late",
    "/staff/reviews",
    "/staff/transmissions",
    "/staff/mails",
    "/staff/findings",
    "/staff/partners",
    "/staff/partners/new",
    f"/staff/partners/{LATE}",
    f"/staff/partners/{LATE}/edit",
    "/staff/users",
    "/staff/reports",
    "/staff/reports/2026-11/late",
)
FILTERED = (
    f"/staff/late?partner_id={LATE}",
    "/staff/partners?q=spät",
    "/staff/partners?status=paused",
    "/staff/reports?month=2024-02",
    f"/staff/reports/2026-11/late?partner_id={LATE}&kind=accept",
)
"""Pages of `PATHS` that show less."""


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def bad_day_data(portal_site: Site) -> None:
    """The data of `tests/portal/bad_day.py`."""
    await bad_day(portal_site)


@pytest.mark.parametrize(
    ("language", "device", "dark", "paths"),
    [("de", "desktop", False, PATHS), ("fr", "phone", True, PATHS + FILTERED)],
)
async def test_each_page_is_for_everybody(
    portal: Portal, language: Language, device: Device, dark: bool, paths: tuple[str, ...]
) -> None:
    page = await portal.page("operations", language, device=device, dark=dark)
    for path in paths:
        answer = await page.goto(path)
        assert answer is not None
        assert answer.status == 200, path
        assert await page.locator("html").get_attribute("lang") == language
        assert await page.locator("h1").count() == 1
        await axe(page)
        await fits(page)


@pytest.mark.parametrize("path", ["/staff", "/staff/findings"])
async def test_a_finding_leads_to_its_order_or_settlement(portal: Portal, path: str) -> None:
    page = await portal.page("operations")
    await page.goto(path)
    found = page.get_by_role("table", name="Unstimmigkeiten")
    for name, leads_to in (("S-NEW-2", "/orders/"), ("V202610-7KQ4MXBP", "/settlements/")):
        link = found.get_by_role("link", name=name)
        assert await link.get_attribute("href") == f"{leads_to}{name}"


@pytest.mark.parametrize("role", ["partner", "accounting"])
async def test_they_are_for_operations_alone(portal: Portal, role: str) -> None:
    async with visitor(portal, role) as one:  # type: ignore[arg-type]
        for path in (*PATHS, *FILTERED, "/staff/reports/2026-11/deadlines.csv"):
            answer = await one.get(path)
            assert answer.status_code == 403, path
            assert LATE not in unquote(answer.text).replace(path, "")


async def test_who_is_not_logged_in_is_led_to_the_log_in(portal: Portal) -> None:
    async with httpx.AsyncClient(base_url=portal.site.address) as nobody:
        for path in PATHS:
            answer = await nobody.get(path, headers={"Accept": "text/html"})
            assert answer.headers["Location"].startswith("/login?next=/staff"), path


@pytest.mark.parametrize(
    "path",
    [
        "/staff/users",
        "/staff/users/usr_0/removal",
        "/staff/tokens",
        "/staff/partners",
        f"/staff/partners/{LATE}/edit",
        f"/staff/partners/{LATE}/status",
        f"/staff/partners/{LATE}/users",
        f"/staff/partners/{LATE}/tokens",
    ],
)
async def test_a_form_of_another_site_does_nothing(portal: Portal, path: str) -> None:
    evil = {"name": "Evil", "role": "operations", "email": "e@evil.example"}
    async with visitor(portal, "operations") as one:
        answer = await one.http.post(path, data=evil)
    assert answer.status_code == 403
    users = await portal.site.app.state.accounts.users(None)
    assert "e@evil.example" not in {user.email for user in users}


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        ("/staff/late?cursor=x", "/staff/late"),
        (f"/staff/late?partner_id={LATE}&cursor=x", f"/staff/late?partner_id={LATE}"),
        ("/staff/mails?cursor=WyJ4Il0", "/staff/mails"),
        ("/staff/reports?month=2026-13", "/staff/reports"),
        ("/staff/reports?month=1867-01", "/staff/reports"),
        (f"/staff/partners/{LATE}/tokens", f"/staff/partners/{LATE}"),
        (f"/staff/partners/{LATE}/status", f"/staff/partners/{LATE}"),
        ("/staff/tokens", "/staff/users"),
    ],
)
async def test_an_address_that_is_none_leads_to_one_that_is(
    portal: Portal, path: str, leads_to: str
) -> None:
    async with visitor(portal, "operations") as one:
        answer = await one.get(path)
        assert answer.headers["Location"].endswith(leads_to)
        assert (await one.get(leads_to)).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/staff/partners/nobody",
        "/staff/partners/nobody/edit",
        "/staff/partners/a%00b",
        "/staff/reports/2026-13/late",
        "/staff/reports/x/deadlines.csv",
    ],
)
async def test_what_is_not_there(portal: Portal, path: str) -> None:
    async with visitor(portal, "operations") as one:
        assert (await one.get(path)).status_code == 404


async def test_orders_of_the_first_rules_have_their_forms(portal: Portal) -> None:
    """The orders of the bad day are under version 1: a rejection ends one, and there is nothing to take back."""
    page = await portal.page("operations")
    await page.goto("/orders/S-CHECK-0")
    text = await page.locator("main").text_content() or ""
    assert "Damit ist der Auftrag für Sie beendet: Er wird storniert." in text
    for name in ("problem", "decline", "receipt", "withdrawal", "resume", "reopen"):
        assert await page.locator(f'[action*="/{name}#"]').count() == 0
    await page.goto("/orders/S-REVIEW-0")
    offered = page.locator('[name="review.decision"]')
    values = [await each.get_attribute("value") for each in await offered.all()]
    assert values == ["new_appointment", "reship", "accept_as_executed"]
    assert await page.locator('[name="review.until"], [name="review.partner_id"]').count() == 0
    assert await page.get_by_role("button", name="Auftrag stornieren", exact=True).count() == 1


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("late", "S-GOODS-0"),
        (f"late.csv?partner_id={LATE}", "S-CHECK-0"),
        ("transmissions", "S-SENT-0"),
        ("unassigned", None),
        ("reviews", "S-REVIEW-0"),
        ("mails", "S-NEW-1"),
        ("findings", "S-NEW-2"),
        ("partners.csv?q=spät", LATE),
    ],
)
async def test_each_list_is_a_table_too(portal: Portal, name: str, first: str | None) -> None:
    """Whole, with no formula in it, and for operations alone."""
    path = f"/staff/{name}" if "." in name else f"/staff/{name}.csv"
    async with visitor(portal, "operations") as one:
        answer = await one.get(path)
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        lines = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")), delimiter=";"))
        if first is not None:
            assert next(iter(lines[0].values())) == first
    if name == "reviews":
        assert {line["note"] for line in lines if line["sp_id"][:8] == "S-REVIEW"} == {NOTE}
    for role in ("partner", "accounting"):
        async with visitor(portal, role) as other:  # type: ignore[arg-type]
            assert (await other.get(path)).status_code == 403


async def test_tables_say_whose_order_it_is_and_why_it_was_late(portal: Portal) -> None:
    async with visitor(portal, "operations") as one:
        await one.get("/staff/late")
        assert "S-GOODS-0 Regula Müller , 8004 Zürich" in one.text
        texts = []
        for days in (0, 28):
            month = datetime.now(UTC) - timedelta(days=days)
            await one.get(f"/staff/reports/{month:%Y-%m}/late?partner_id={LATE}")
            texts.append(one.text)
        assert "nichts festgehalten, bis die Frist um war" in " ".join(texts)
        table = await one.get("/staff/late.csv")
        lines = csv.DictReader(io.StringIO(table.content.decode("utf-8-sig")), delimiter=";")
        assert {(each["customer"], each["city"]) for each in lines} >= {("Regula Müller", "Zürich")}


async def test_there_is_no_other_table(portal: Portal) -> None:
    async with visitor(portal, "operations") as one:
        assert (await one.get("/staff/users.csv")).status_code == 404
