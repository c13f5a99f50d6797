"""What holds for all tests: a PostgreSQL server, how the SDK's native part logs, what a skipped test means."""

import gc
from collections.abc import Generator, Iterator

import hypothesis
import pytest
from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig

from tests.support.needs import require
from tests.support.postgres import running_postgres

# As by default, but for the warning that the time-skipping server, with each test anew, is an old one.
NATIVE_LOG = (
    "ERROR,temporalio_sdk_core=WARN,temporalio_sdk_core::worker=ERROR,"
    "temporalio_sdk_core::worker::workflow=WARN,temporalio_client=WARN,temporal_sdk_bridge=WARN"
)


def pytest_configure() -> None:
    """Before any client or worker is made, and any example is tried."""
    hypothesis.settings.register_profile("cmi", deadline=None)  # a busy machine is no failure
    hypothesis.settings.load_profile("cmi")
    telemetry = TelemetryConfig(logging=LoggingConfig(filter=NATIVE_LOG))
    Runtime.set_default(Runtime(telemetry=telemetry), error_if_already_set=False)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--no-skips`, with which .ci/run calls the tests."""
    parser.addoption(
        "--no-skips",
        action="store_true",
        help="a skipped test is an error: the machine is to have all that tests need",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make a skipped test an error, if that was asked for."""
    report = yield
    if not hasattr(report, "wasxfail"):
        _refuse_skip(item.config, report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a module that skips all its tests."""
    report = yield
    _refuse_skip(collector.config, report)
    return report


def _refuse_skip(config: pytest.Config, report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.skipped and config.getoption("no_skips"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"--no-skips: {reason}"


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server's URL; the test is skipped if there is none."""
    require("postgresql")
    with running_postgres() as url:
        yield url


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish() -> None:
    """Let the finalizers of what tests left behind run now.

    Plugins import modules while the session ends, and pytest parses them. A finalizer that formats a traceback in
    the middle of that parses, too, and Python 3.11 then fails with "AST constructor recursion depth mismatch".
    """
    gc.collect()
    gc.disable()
