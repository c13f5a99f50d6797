"""The fixtures of the page tests: the whole product on this machine, and Chromium.

    async def test_an_order_is_accepted(portal: Portal) -> None:
        sp_id = await portal.site.new()                       # an order that its partner was sent (tests/web/site.py)
        page = await portal.page("partner", "fr", device="phone", javascript=False, dark=True)
        await page.goto(f"/orders/{sp_id}")
        await page.get_by_role("button", name="Accepter").click()
        await fits(page)                                    # nothing sticks out at 360 px
        await axe(page)                                     # (needs JavaScript) nothing serious

`portal` checks every page that it opens (tests/portal/portal.py). Tests run in the session's loop, so each module says
`pytestmark = pytest.mark.asyncio(loop_scope="session")`. Without Chromium or axe-core they are skipped, and
say what to install.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from playwright.async_api import Browser
from pwdlib import PasswordHash

from tests.portal.portal import Portal, chromium
from tests.server.surroundings import surroundings
from tests.support.needs import require
from tests.support.rendering import running_documents
from tests.use_cases.conftest import QUICK, SECRET_KEY
from tests.web.site import NO_ACCEPT, POLICY, Site, site

__all__ = ["running_documents"]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def portal_site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """The product: Temporal, a worker, mail server, database and web application. Password hashing is fast."""
    folder = tmp_path_factory.mktemp("portal")
    policy = folder / "web.toml"
    policy.write_text(POLICY)
    policies = folder / "policies"
    policies.mkdir()
    (policies / f"{NO_ACCEPT}.toml").write_text(f'{POLICY}[deadlines]\naccept = "none"\n')
    async with (
        surroundings(
            folder,
            within=None,
            CMI_POLICY=str(policy),
            CMI_POLICIES=str(policies),
            CMI_SECRET_KEY=SECRET_KEY,
        ) as around,
        around.worker(),
        AsyncExitStack() as stack,
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(PasswordHash, "recommended", lambda: PasswordHash((QUICK,)))
            running = await stack.enter_async_context(site(around))
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, started once. Tests are skipped where there is none."""
    for part in ("chromium", "libatomic"):
        require(part)
    async with chromium() as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def session_portal(browser: Browser, portal_site: Site) -> Portal:
    return Portal(portal_site, browser)


@pytest_asyncio.fixture(loop_scope="session")
async def portal(session_portal: Portal) -> AsyncIterator[Portal]:
    """The running site with browsers. The test fails if a page violated the rules of `tests/portal/portal.py`."""
    yield session_portal
    await session_portal.check()
