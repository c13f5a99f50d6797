"""Starts everything on one machine: Temporal with its UI, a mail server, a worker, the web application, sample data.

The command is `python dev.py` (docs/contract.md, "Everything on one machine").
"""

import argparse
import asyncio
import contextlib
import fcntl
import os
import secrets
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx

from development.api_client import Api, CallFailed
from development.embedded import (
    OVERWRITES_DELETED,
    ROOT,
    Child,
    PortTaken,
    check_port,
    keep_log_short,
    temporal_command,
    temporal_is_up,
)
from development.sample_data import (
    STAFF_LOGINS,
    TECHNICIAN,
    TECHNICIAN_OF,
    make_credentials,
    make_orders,
    make_partners,
    make_technician,
    technicians_orders,
    write_private,
)
from development.sample_settlements import make_settlements
from development.smtp_inbox import SmtpInbox
from records.migrate import migrate_patiently
from scripts.system_packages import why_missing
from settings import Settings, SettingsError, keep_files_private
from settings.logs import configure_logging
from temporal.schedules import put_schedules


class AlreadyRunning(Exception):
    """Another dev.py runs in the same folder."""


def environment(options: argparse.Namespace) -> dict[str, str]:
    """The environment of all child processes: that of this process, with the addresses of the embedded servers.

    Second factors can be set up, with a key of this installation; the sample logins of the staff need none.
    """
    folder: Path = options.data_dir
    env = {
        **os.environ,
        "TEMPORAL_ADDRESS": f"127.0.0.1:{options.temporal_port}",
        "CMI_SMTP_URL": f"smtp://127.0.0.1:{options.smtp_port}",
        "CMI_WAREHOUSE_DIR": str(folder / "warehouse"),
        "CMI_MAIL_DIR": str(folder / "mail"),
        "CMI_TEMPORAL_UI_URL": f"http://localhost:{options.ui_port}",
    }
    env.setdefault("CMI_DATABASE_URL", f"sqlite:///{folder / 'cmi.db'}")
    env.setdefault("CMI_PUBLIC_URL", f"http://localhost:{options.http_port}")
    env.setdefault("CMI_FACTOR_EXEMPT", ",".join(STAFF_LOGINS.values()))
    if not env.get("CMI_SECRET_KEY"):
        env["CMI_SECRET_KEY"] = secret_key(folder)
    env["CMI_HTTP_PORT"] = str(options.http_port)
    env["CMI_WORKER_LIVENESS_FILE"] = str(folder / "worker.alive")
    if options.policy is not None:
        env["CMI_POLICY"] = str(options.policy)
    return env


def secret_key(folder: Path) -> str:
    """The key of second factors: made once, and kept in a file that only its owner can read."""
    file = folder / "secret_key"
    if not file.exists():
        write_private(file, secrets.token_urlsafe(32))
    return file.read_text(encoding="ascii")


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep a second dev.py out of the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(
                f"{folder}: another dev.py is at work there; choose --data-dir"
            ) from None
        yield


async def run(options: argparse.Namespace, settings: Settings) -> None:
    """Start everything, print the addresses when it is up, and stop it at SIGTERM or Ctrl-C."""
    main = asyncio.current_task()
    assert main is not None
    is_stopping = False

    def stop() -> None:
        nonlocal is_stopping
        if not is_stopping:  # a second Ctrl-C must not interrupt the stopping
            is_stopping = True
            main.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    with contextlib.suppress(asyncio.CancelledError):
        async with contextlib.AsyncExitStack() as stack:
            await _start_all(stack, options, settings)
            _announce(options, settings)
            await asyncio.Event().wait()


async def _start_all(
    stack: contextlib.AsyncExitStack, options: argparse.Namespace, settings: Settings
) -> None:
    folder: Path = options.data_dir
    logs = folder / "logs"
    address = f"http://127.0.0.1:{options.http_port}"
    await stack.enter_async_context(SmtpInbox(folder / "mail", options.smtp_port))

    async def keep_running(name: str, command: Sequence[str], alive: Path | None = None) -> None:
        child = Child(name, command, os.environ, logs / f"{name}.log", alive=alive)
        stack.push_async_callback(child.stop)
        await child.start()

    await keep_running(
        "temporal",
        temporal_command(
            port=options.temporal_port,
            ui_port=options.ui_port,
            file=folder / "temporal.db",
            extra=("--ui-codec-endpoint", f"{settings.public_url}/codec")
            if settings.encryption_keys
            else OVERWRITES_DELETED,
        ),
    )
    if not settings.encryption_keys:
        shortening = asyncio.create_task(keep_log_short(folder / "temporal.db"))
        stack.callback(shortening.cancel)
    if settings.database_url.startswith("sqlite"):
        await migrate_patiently(settings.database_url)
    temporal = await temporal_is_up(os.environ["TEMPORAL_ADDRESS"])
    await put_schedules(temporal, settings.load_policy().office)
    await keep_running(
        "worker", [sys.executable, str(ROOT / "worker.py")], settings.worker_liveness_file
    )
    await keep_running("web", [sys.executable, "-m", "web"])
    await _wait_until_ready(f"{address}/readyz")
    mails, file = folder / "mail", folder / "credentials.json"
    credentials = await make_credentials(settings, file, mails)
    if not options.no_sample_data:
        async with Api(address, credentials) as api:
            await make_partners(settings, api, file, mails)
            await asyncio.gather(
                make_orders(api, temporal, settings.load_policy()),
                make_settlements(settings, api, temporal, documents=not why_missing("pango")),
            )
            await make_technician(settings, api, file, mails, technicians_orders())


async def _wait_until_ready(address: str, within: float = 60) -> None:
    """Wait until a GET of this address succeeds.

    Raises:
        TimeoutError: no GET succeeded within this many seconds.
    """
    async with httpx.AsyncClient() as http, asyncio.timeout(within):
        while True:
            with contextlib.suppress(httpx.TransportError):
                if (await http.get(address)).is_success:
                    return
            await asyncio.sleep(0.1)


def _announce(options: argparse.Namespace, settings: Settings) -> None:
    folder: Path = options.data_dir
    for name, where in (
        ("web application", f"http://localhost:{options.http_port}"),
        ("API", f"http://localhost:{options.http_port}/docs"),
        ("tokens, passwords", folder / "credentials.json"),
        ("Temporal UI", f"http://localhost:{options.ui_port}"),
        ("Temporal", os.environ["TEMPORAL_ADDRESS"]),
        ("mail server", f"127.0.0.1:{options.smtp_port}"),
        ("mails", folder / "mail"),
        ("shipping requests", settings.warehouse_url or settings.warehouse_dir),
        ("logs", folder / "logs"),
    ):
        print(f"  {name:<18} {where}")
        if name == "tokens, passwords" and not options.no_sample_data:
            print(f"  {'':<18} (a technician, too: {TECHNICIAN}, of {TECHNICIAN_OF})")
    if reason := why_missing("pango"):
        print(f"No document can be made, and settlements wait for theirs; {reason}")
    print("ready", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="dev.py", description=__doc__)
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=Path("var/dev"),
        help="where everything it writes goes (var/dev)",
    )
    parser.add_argument("--temporal-port", type=int, default=7233, help="Temporal (7233)")
    parser.add_argument("--ui-port", type=int, default=8233, help="the Temporal UI (8233)")
    parser.add_argument("--smtp-port", type=int, default=2525, help="the mail server (2525)")
    parser.add_argument("--http-port", type=int, default=8000, help="the web application (8000)")
    parser.add_argument("--policy", type=Path, help="a policy file (default: the standard policy)")
    parser.add_argument(
        "--no-sample-data", action="store_true", help="start without partners and orders"
    )
    options = parser.parse_args(arguments)
    # The processes run in the folder of the repository.
    options.data_dir = options.data_dir.resolve()
    options.policy = options.policy and options.policy.resolve()
    keep_files_private()
    try:
        with locked(options.data_dir):
            os.environ.update(environment(options))
            settings = Settings.from_env()
            if settings.production:
                raise SettingsError("CMI_PRODUCTION: must be off, since this is for development")
            settings.load_policy()
            # This process logs problems only; the others have their own log files.
            configure_logging(settings.model_copy(update={"log_level": "warning"}))
            for port, option in (
                (options.http_port, "--http-port"),
                (options.temporal_port, "--temporal-port"),
                (options.ui_port, "--ui-port"),
                (options.smtp_port, "--smtp-port"),
            ):
                check_port(port, option)
            asyncio.run(run(options, settings))
    except (AlreadyRunning, PortTaken, SettingsError) as error:
        print(error, file=sys.stderr)
        return 2
    except (FileNotFoundError, CallFailed) as error:
        print(error, file=sys.stderr)
        return 1
    except TimeoutError:
        print(f"not everything came up in time; see {options.data_dir / 'logs'}", file=sys.stderr)
        return 1
    return 0
