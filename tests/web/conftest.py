"""One application with everything around it for all tests that leave it as it was."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.server.surroundings import surroundings
from tests.web.site import POLICY, Site, site


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def cmi(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """The application; a worker is up."""
    folder = tmp_path_factory.mktemp("cmi")
    policy = folder / "web.toml"
    policy.write_text(POLICY)
    async with (
        surroundings(folder, within=None, CMI_POLICY=str(policy)) as around,
        around.worker(),
        site(around) as running,
    ):
        yield running
