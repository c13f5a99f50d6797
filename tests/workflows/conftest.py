"""Whole lives of orders on the server that skips time."""

from collections.abc import AsyncIterator

import pytest
from temporalio.worker import Worker

from contracts import names
from tests.support.temporal_servers import skipping_server
from tests.workflows.life import Lives
from tests.workflows.outside import Outside
from workflows.service_order import ServiceOrder


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
