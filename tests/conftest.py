"""What holds for all tests: how many run at once, in which order, a PostgreSQL server, what a skipped test means."""

import gc
import os
from collections.abc import Generator

import hypothesis
import pytest
from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig

from tests.support.databases import as_text, chosen, end_servers, postgres_server
from tests.support.shared_server import end_shared_servers

# As by default, but for the warning that the time-skipping server, with each test anew, is an old one.
NATIVE_LOG = (
    "ERROR,temporalio_sdk_core=WARN,temporalio_sdk_core::worker=ERROR,"
    "temporalio_sdk_core::worker::workflow=WARN,temporalio_client=WARN,temporal_sdk_bridge=WARN"
)

WAITING = ("server",)
"""The folders whose tests wait: for timers of seconds, for a lost worker to be noticed, for retries."""
COMPUTING = ("portal", "web", "workflows")
"""The other folders with long files, in the order in which they begin."""


def pytest_configure() -> None:
    """Before any client or worker is made, and any example is tried."""
    hypothesis.settings.register_profile("cmi", deadline=None)  # a busy machine is no failure
    hypothesis.settings.load_profile("cmi")
    # Temporal's servers cost a tenth less with one thread of Go: with more, idle ones wake up to look for work.
    os.environ.setdefault("GOMAXPROCS", "1")
    telemetry = TelemetryConfig(logging=LoggingConfig(filter=NATIVE_LOG))
    Runtime.set_default(Runtime(telemetry=telemetry), error_if_already_set=False)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without Python's garbage collector, and have it leave out for good what exists then.

    Modules and tests are no garbage, and to look through them again and again took a third of the time to collect.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the folders whose files take longest, and mix the files that wait with those that compute.

    So no long file is left running alone at the end, and no core is idle because all processes wait. The sort is
    stable: the other folders follow, and the files of a folder stay in the order of their names.
    """
    tests = config.rootpath / "tests"
    files = dict.fromkeys(item.path for item in items)
    rank = dict.fromkeys(files, 1.0)
    for folders in (WAITING, COMPUTING):
        group = [file for name in folders for file in files if tests / name in file.parents]
        rank |= {file: index / len(group) for index, file in enumerate(group)}
    items.sort(key=lambda item: rank[item.path])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """What `--numprocesses auto` means: one process more than there are cores. Half of a test's time it waits."""
    return (os.cpu_count() or 1) + 1


def pytest_report_header() -> str:
    """Say on which database the tests run."""
    return f"records: {chosen()} (CMI_TEST_DATABASE); tests/records: both"


def pytest_unconfigure() -> None:
    """At the end, and if the tests are interrupted."""
    end_servers()
    end_shared_servers()


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
def postgres_url() -> str:
    """A PostgreSQL server's URL; the test is skipped if there is none."""
    return as_text(postgres_server())


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish() -> None:
    """Let the finalizers of what tests left behind run now.

    Plugins import modules while the session ends, and pytest parses them. A finalizer that formats a traceback in
    the middle of that parses, too, and Python 3.11 then fails with "AST constructor recursion depth mismatch".
    """
    gc.collect()
    gc.disable()
