"""Temporal servers for tests: the one that skips time, and the real one."""

import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from temporalio.testing import WorkflowEnvironment

from records.database import Database
from settings import Settings
from temporal.connection import data_converter, register_search_attributes
from tests.support.empty_tasks import Started, assert_none_has_empty_tasks
from tests.support.shared_server import unused_namespace

_BIN = Path(sys.executable).parent

OFFERS_LOST_TASKS_SOON = (
    "--dynamic-config-value",
    'history.defaultWorkflowTaskTimeout="5s"',
)
"""Options with which the real server takes a workflow task for lost after five seconds, instead of ten.

For tests in which a worker dies with a task in hand, or whose tasks fail: of a task that fails again and again, the SDK
reports the first attempt, and the others are lost.
"""
_COMMON = ((), OFFERS_LOST_TASKS_SOON)


def binary(name: str) -> str:
    """The path of an installed server binary: beside our Python, or on the PATH."""
    beside = _BIN / name
    found = str(beside) if beside.exists() else shutil.which(name)
    assert found, f"{name} is missing: make setup installs it"
    return found


async def _started(
    start: Callable[..., Awaitable[WorkflowEnvironment]], **options: Any
) -> WorkflowEnvironment:
    """Start a server, with retries: the SDK gives it five seconds, which is too short on a busy machine."""
    for _ in range(3):
        try:
            return await start(**options)
        except RuntimeError as error:
            if "did not start" not in str(error):
                raise
    return await start(**options)


@asynccontextmanager
async def skipping_server(
    settings: Settings | None = None, database: Database | None = None
) -> AsyncIterator[WorkflowEnvironment]:
    """A time-skipping server with one clock, so each test needs its own (docs/traps.md, "Time and tests").

    At the end it checks that no order or settlement that its client started has an empty task.
    """
    started = Started()
    async with await _started(
        WorkflowEnvironment.start_time_skipping,
        interceptors=[started],
        data_converter=data_converter(settings, database),
        test_server_existing_path=binary("temporal-test-server"),
    ) as env:
        await register_search_attributes(env.client)
        yield env
        if started.workflow_ids:
            await assert_none_has_empty_tasks(env.client, started.workflow_ids)


@asynccontextmanager
async def dev_server(
    *extra: str, settings: Settings | None = None
) -> AsyncIterator[WorkflowEnvironment]:
    """The real server, with timers as exact as possible. Without unusual options, tests share it: each has a namespace.

    At the end it checks that no order or settlement has an empty task.
    """
    if extra in _COMMON:
        with unused_namespace(extra) as namespace:
            client = await namespace.connect(data_converter(settings))
            yield WorkflowEnvironment.from_client(client)
            await assert_none_has_empty_tasks(client)
        return
    async with await _started(
        WorkflowEnvironment.start_local,
        data_converter=data_converter(settings),
        dev_server_existing_path=binary("temporal"),
        dev_server_extra_args=[
            "--dynamic-config-value",
            'history.timerProcessorMaxTimeShift="50ms"',
            *extra,
        ],
    ) as env:
        await register_search_attributes(env.client)
        yield env
        await assert_none_has_empty_tasks(env.client)
