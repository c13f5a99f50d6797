"""Runs the web application: `python -m web`. It listens where CMI_HTTP_HOST and CMI_HTTP_PORT say."""

import asyncio
import gc
import logging
import signal
import sys

import uvicorn

from records.migrate import migrate_patiently
from settings import Settings, SettingsError
from settings.logs import configure_logging
from temporal.connection import leave
from web.app import create_app
from web.middleware import RequestIdFilter

_KEEP_ALIVE_SECONDS = 75  # longer than a proxy's, so that the proxy ends a connection and not we
_DRAIN_SECONDS = 15


def main() -> int:
    """The command. Returns the exit code: 2 for a wrong environment."""
    try:
        settings = Settings.from_env()
        app = create_app(settings)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    configure_logging(settings)
    for handler in logging.getLogger().handlers:
        handler.addFilter(RequestIdFilter())
    if settings.database_url.startswith("sqlite"):
        # Before the server, which would not hear a signal while it waits. Nothing is under way: a signal just ends us.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        asyncio.run(migrate_patiently(settings.database_url))
    # uvicorn ends in order at a signal, then raises it again for whoever was there before: that was us, and we are done
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.http_host,
            port=settings.http_port,
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="on",
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=settings.trusted_proxies,
            log_config=None,
            access_log=False,  # ours knows the request's id, and leaves out what is nobody's business
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_DRAIN_SECONDS,
        )
    )
    # What is loaded by now stays: the garbage collector need not look through it in the middle of an answer.
    gc.collect()
    gc.freeze()
    server.run()
    return 0 if server.started else 1


if __name__ == "__main__":
    leave(main())
