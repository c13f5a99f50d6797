"""A customer's page, and its wish for another day on the pages of its partner and of operations."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.values import LANGUAGES, Language
from records.customer_links import CustomerLinks
from tests.portal.kept import appointed, kept
from tests.portal.portal import Portal, axe, fits, follow
from tests.portal.test_orders_pages import operations, partner
from tests.portal.visitor import Visitor, visitor
from tests.support.builders import TRANSMITTED
from tests.web.begun import agreed_steps, begun
from use_cases.customer_links import CustomerLinkUseCases

__all__ = ["operations", "partner"]

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_wish_is_on_the_overview_and_the_order_until_it_is_settled(
    portal: Portal, partner: Visitor, operations: Visitor
) -> None:
    sp_id = await begun(portal.site, *agreed_steps())
    desk: CustomerLinkUseCases = portal.site.app.state.customer_links
    order = await desk.open(await desk.issue(sp_id))
    assert order is not None
    assert await desk.ask(order, "Lieber am <b>Freitag</b>")

    for path in ("/", f"/orders/{sp_id}"):
        seen = (await partner.get(path)).text
        assert "Lieber am &lt;b&gt;Freitag&lt;/b&gt;" in seen
    assert 'id="wishes"' in (await partner.get("/")).text
    assert "bittet um einen anderen Tag" in (await operations.get(f"/orders/{sp_id}")).text
    async with visitor(portal, "partner", partner_id="luzern-montage") as stranger:
        assert "Freitag" not in (await stranger.get("/")).text
        assert (await stranger.post(f"/orders/{sp_id}/another-day", {})).status_code == 404

    answer = await partner.post(f"/orders/{sp_id}/another-day", {})
    assert answer.status_code == 303
    assert "als geklärt festgehalten" in (await partner.get(answer.headers["Location"])).text
    assert 'id="wishes"' not in (await partner.get("/")).text
    assert "bittet um einen anderen Tag" not in (await partner.get(f"/orders/{sp_id}")).text


async def test_operations_revoke_the_links_of_a_customer(
    portal: Portal, partner: Visitor, operations: Visitor
) -> None:
    sp_id = await kept(portal.site, *TRANSMITTED)
    desk: CustomerLinkUseCases = portal.site.app.state.customer_links
    secret = await desk.issue(sp_id)
    assert "customer-links" not in (await partner.get(f"/orders/{sp_id}")).text
    assert (await partner.post(f"/orders/{sp_id}/customer-links", {})).status_code == 403
    assert "customer-links" in (await operations.get(f"/orders/{sp_id}")).text
    answer = await operations.post(f"/orders/{sp_id}/customer-links", {})
    assert "gelten nicht mehr" in (await operations.get(answer.headers["Location"])).text
    assert await desk.open(secret) is None
    assert not await CustomerLinks(portal.site.app.state.database).has_links(sp_id)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_customer_asks_on_a_phone_without_scripts(
    portal: Portal, language: Language
) -> None:
    begin = datetime.now(UTC) + timedelta(days=3)
    steps = appointed(begin, begin + timedelta(hours=2))
    sp_id = await kept(portal.site, *steps, language=language)
    desk: CustomerLinkUseCases = portal.site.app.state.customer_links
    secret = await desk.issue(sp_id)
    other: Language = "en" if language == "de" else "de"
    page = await portal.page(language=other, device="phone", javascript=False)
    checked = await portal.page(language=other, device="phone", dark=True)
    for step in ("ask", "asked"):
        await checked.goto(f"/visit/{secret}")
        assert await checked.locator("html").get_attribute("lang") == language, step
        if language == "de":
            await axe(checked)
        await fits(checked)
        if step == "ask":
            await page.goto(f"/visit/{secret}")
            await page.locator("textarea").fill("Am Freitag")
            await follow(page.locator("button"))
            assert await page.locator("form").count() == 0
            assert page.url.endswith(f"/visit/{secret}")
    order = await desk.open(secret)
    assert order is not None
    wish = await desk.open_wish(order)
    assert wish is not None
    assert wish.note == "Am Freitag"
