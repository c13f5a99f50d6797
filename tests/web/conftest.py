"""The running application that tests share, and the accounts without Temporal (tests/use_cases/conftest.py)."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.server.surroundings import surroundings
from tests.support.rendering import running_documents
from tests.use_cases.conftest import (
    clock,
    database,
    env,
    server,
    settings,
    url,
)
from tests.web.site import NO_ACCEPT, POLICY, Site, site

__all__ = [
    "clock",
    "database",
    "env",
    "running_documents",
    "server",
    "settings",
    "url",
]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def cmi(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """The application; a worker is up."""
    folder = tmp_path_factory.mktemp("cmi")
    policy = folder / "web.toml"
    policy.write_text(POLICY)
    policies = folder / "policies"
    policies.mkdir()
    (policies / f"{NO_ACCEPT}.toml").write_text(f'{POLICY}[deadlines]\naccept = "none"\n')
    async with (
        surroundings(
            folder, within=None, CMI_POLICY=str(policy), CMI_POLICIES=str(policies)
        ) as around,
        around.worker(),
        site(around) as running,
    ):
        yield running
