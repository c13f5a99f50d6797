"""Runs the web application: `python -m web`. It listens at CMI_HTTP_HOST and CMI_HTTP_PORT."""

import asyncio
import gc
import logging
import signal
import sys

import uvicorn

from documents.confined import remove_leftovers
from documents.confinement import missing, protect_memory
from records.migrate import migrate_patiently
from settings import Settings, SettingsError, keep_files_private
from settings.logs import configure_logging
from settings.traces import are_traces_exported
from telemetry.endpoint import NotListening, show_sdk_metrics
from telemetry.tracing import TraceIdFilter, start_tracing, stop_tracing
from temporal.connection import leave
from use_cases.production import unfit_for_production
from web.app import create_app
from web.middleware import RequestIdFilter
from web.server import server_config

logger = logging.getLogger("cmi.web")


def main() -> int:
    """Run until a signal ends it. Returns the exit code: 2 for a wrong environment, 1 if the server did not start."""
    keep_files_private()
    try:
        settings = Settings.from_env()
        app = create_app(settings, forgets_secrets=True)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    configure_logging(settings)
    protect_memory()
    if are_traces_exported():
        start_tracing("cmi-web")
    for handler in logging.getLogger().handlers:
        handler.addFilter(RequestIdFilter())
        handler.addFilter(TraceIdFilter())
    # The checks below run before the server has its signal handlers. Until then a signal ends the process.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    lacking = missing()  # photos are read by processes that this one starts
    if refusal := unfit_for_production(settings, "web", lacking):
        print(refusal, file=sys.stderr)
        return 2
    if lacking:
        logger.warning(
            "the processes that read photos are less confined than they could be",
            extra={"missing": lacking},
        )
    remove_leftovers()
    try:
        show_sdk_metrics(settings.metrics_temporal)
    except NotListening as error:
        print(error, file=sys.stderr)
        return 2
    if settings.database_url.startswith("sqlite"):
        asyncio.run(migrate_patiently(settings.database_url))
    # uvicorn shuts down at a signal, then raises it again for the previous handler, which need not do anything.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    server = uvicorn.Server(server_config(app, settings))
    # The objects loaded by now are never freed. Freezing them keeps the garbage collector fast during a request.
    gc.collect()
    gc.freeze()
    server.run()
    stop_tracing()
    return 0 if server.started else 1


if __name__ == "__main__":
    leave(main())
