"""Whole lives of orders on the server that skips time."""

import logging
from collections.abc import AsyncIterator, Iterator

import pytest
from temporalio.worker import Worker

from contracts import names
from tests.support.temporal_servers import skipping_server
from tests.workflows.life import Lives
from tests.workflows.outside import Outside
from workflows.service_order import ServiceOrder


@pytest.fixture(autouse=True)
def quiet_activities() -> Iterator[None]:
    """Activities fail on purpose, some a thousand times, and the SDK logs a traceback of each failure."""
    log = logging.getLogger("temporalio.activity")
    level = log.level
    log.setLevel(logging.ERROR)
    yield
    log.setLevel(level)


@pytest.fixture
async def lives() -> AsyncIterator[Lives]:
    """A server whose time skips, a sandboxed worker, and an outside that remembers."""
    outside = Outside()
    async with (
        skipping_server() as env,
        Worker(
            env.client,
            task_queue=names.ORDERS_QUEUE,
            workflows=[ServiceOrder],
            activities=outside.activities,
        ),
    ):
        yield Lives(env, outside)
