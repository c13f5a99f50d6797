"""What the tests of the pages have in common: the whole product on this machine, and Chromium in front of it.

    async def test_an_order_is_accepted(surf: Surfer) -> None:
        sp_id = await surf.site.new()                       # an order that its partner was sent (tests/web/site.py)
        page = await surf.page("partner", "fr", device="phone", javascript=False, dark=True)
        await page.goto(f"/orders/{sp_id}")
        await page.get_by_role("button", name="Accepter").click()
        await fits(page)                                    # nothing sticks out at 360 px
        await axe(page)                                     # (needs JavaScript) nothing serious

`surf` watches every page it opens (tests/portal/surf.py). Tests run in the session's loop, so each module says
`pytestmark = pytest.mark.asyncio(loop_scope="session")`. Without Chromium or axe-core they are skipped, and
say what to install.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from playwright.async_api import Browser
from pwdlib import PasswordHash

from tests.portal.surf import Surfer, chromium
from tests.server.surroundings import surroundings
from tests.support.needs import require
from tests.use_cases.conftest import QUICK, SECRET_KEY
from tests.web.site import POLICY, Site, site


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def portal_site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """The product: Temporal, a worker, mail server, database and web process. Passwords are hashed in a hurry."""
    folder = tmp_path_factory.mktemp("portal")
    policy = folder / "web.toml"
    policy.write_text(POLICY)
    async with (
        surroundings(
            folder, within=None, CMI_POLICY=str(policy), CMI_SECRET_KEY=SECRET_KEY
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
async def _surfer(browser: Browser, portal_site: Site) -> Surfer:
    return Surfer(portal_site, browser)


@pytest_asyncio.fixture(loop_scope="session")
async def surf(_surfer: Surfer) -> AsyncIterator[Surfer]:
    """People with browsers; at the end of the test nothing may have been wrong with any page."""
    yield _surfer
    await _surfer.check()
