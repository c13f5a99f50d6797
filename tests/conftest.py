"""What holds for all tests: how the SDK's native part logs, and a calm end of the session."""

import gc

import pytest
from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig

# As by default, but for the warning that the time-skipping server, with each test anew, is an old one.
NATIVE_LOG = (
    "ERROR,temporalio_sdk_core=WARN,temporalio_sdk_core::worker=ERROR,"
    "temporalio_sdk_core::worker::workflow=WARN,temporalio_client=WARN,temporal_sdk_bridge=WARN"
)


def pytest_configure() -> None:
    """Before any client or worker is made."""
    telemetry = TelemetryConfig(logging=LoggingConfig(filter=NATIVE_LOG))
    Runtime.set_default(Runtime(telemetry=telemetry), error_if_already_set=False)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish() -> None:
    """Let the finalizers of what tests left behind run now.

    Plugins import modules while the session ends, and pytest parses them. A finalizer that formats a traceback in
    the middle of that parses, too, and Python 3.11 then fails with "AST constructor recursion depth mismatch".
    """
    gc.collect()
    gc.disable()
