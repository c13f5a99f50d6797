"""Runs the Compose files on Docker Engine and Docker Compose from Debian's packages: `make compose-check`.

    python -m development.compose_check              everything
    python -m development.compose_check --only production

It builds the image from the unchanged Dockerfile, starts the unchanged Compose files with stand-ins for third-party
images, and checks what docs/operations.md says about them. Exit code 1 and the reason if something does not hold.
It needs root, `mmdebstrap` and `slirp4netns`. Base systems and images are kept in `--folder`; nothing else is left.
"""

import argparse
import asyncio
import contextlib
import fcntl
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import httpx
from temporalio.service import RPCError

from development.api_client import Api, CallFailed, Credentials
from development.compose_check import failures, life, proofs, stand_ins
from development.compose_check.engine import (
    PACKAGES,
    RELEASE,
    WITHIN,
    CheckFailed,
    Engine,
    base_system,
    run_in_namespaces,
)
from development.compose_check.project import (
    HOST,
    NAMESPACE,
    Project,
    check,
    production_values,
    write_policies,
)

ROOT = Path(__file__).resolve().parent.parent.parent
DEVELOPMENT = ("docker-compose.yml", "docker-compose.development.yml")
MAIL_CATCHER = "axllent/mailpit"


class Steps:
    """Prints which step runs, what it found, and how long it took."""

    def __init__(self) -> None:
        self.began = time.monotonic()

    def __call__(self, title: str, work: Callable[[], object]) -> None:
        """Do one step, and print its result."""
        started = time.monotonic()
        print(f"   {title} …", flush=True)
        found = work()
        took = time.monotonic() - started
        print(f"ok {title}{f': {found}' if found else ''} ({took:.0f} s)", flush=True)

    def wait(self, title: str, work: Callable[[], Awaitable[object]]) -> None:
        """Do one step that is a coroutine, and print its result."""

        async def done() -> object:
            return await work()

        self(title, lambda: asyncio.run(done()))


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Make the folder and hold its lock, since two daemons would share their images and containers.

    Raises:
        CheckFailed: another run holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CheckFailed(f"another run uses {folder}; choose one with --folder") from error
        yield


def prepare(folder: Path, step: Steps) -> None:
    """Make the base systems, if they are not there yet."""
    step("Docker from Debian", lambda: base_system(folder, "docker", RELEASE, PACKAGES).name)
    step("base systems of the images", lambda: stand_ins.make_bases(folder))


def images(engine: Engine) -> list[str]:
    """The third-party images that the Compose files name, and the base image of the Dockerfile."""
    files = [text for name in DEVELOPMENT for text in ("--file", name)]
    values = ("--env-file", "docker-compose.development.env")
    named = engine.lines("compose", *values, *files, "--profile", "*", "config", "--images")
    ours = {"cmi:local"}
    return sorted({*named, stand_ins.base_of(ROOT / "Dockerfile")} - ours)


def world_outside(engine: Engine, named: list[str]) -> None:
    """A mail server at an address that no container of the project has. It ends with the daemon."""
    (mail,) = (name for name in named if name.startswith(f"{MAIL_CATCHER}:"))
    ports = [text for port in (1025, 8025) for text in ("--publish", f"{HOST}:{port}:{port}")]
    engine.docker("run", "--detach", "--name", "outside", *ports, mail)


@contextlib.contextmanager
def env_file(folder: Path, values: dict[str, str]) -> Iterator[Path]:
    """A file with these values for Compose, which only its owner can read. It is removed afterwards."""
    path = folder / "values.env"
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.writelines(f"{name}={value}\n" for name, value in values.items())
        yield path
    finally:
        path.unlink(missing_ok=True)


def check_production(engine: Engine, folder: Path, step: Steps) -> None:
    """docker-compose.yml as it is run in production."""
    values = {**production_values(), "POLICY_FOLDER": str(write_policies(folder))}
    with env_file(folder, values) as file:
        project = Project(engine, file)
        try:
            step("the image is built", lambda: project.compose("build", patience=1500) and None)
            step("what is missing is named", lambda: proofs.what_is_missing_is_named(project))
            step("everything is up and healthy", project.up)
            step("start order", lambda: proofs.start_order(project))
            step("confinement", lambda: proofs.confinement(project))
            step("policies", lambda: proofs.policies(project))
            step("networks", lambda: proofs.networks_apart(project))
            step("ports", lambda: proofs.published(project, {"127.0.0.1:8000"}))
            step("roles of the database", lambda: proofs.roles(project, values))
            step("Temporal", lambda: proofs.temporal_is_set_up(project, "2592000s"))
            lives = Lives(project, life.first_logins(project))
            live_in_production(lives, step)
            step("the proxy's address", lambda: proofs.proxy(project))
            step("secrets", lambda: proofs.secrets_apart(project, values))
            step("stop", lambda: failures.stop(project))
            step("second start", project.up)
            step.wait("orders of the first start", lambda: lives.later(1090201))
        finally:
            keep_logs(project, folder)
            project.down()


def keep_logs(project: Project, folder: Path) -> None:
    """Write the logs of all containers into a file, to find out what failed."""
    way = "development" if project.files == DEVELOPMENT else "production"
    (folder / f"{way}.log").write_text(project.logs(), encoding="utf-8")


class Lives:
    """Puts orders and a settlement through this project, with these tokens."""

    ORDERS = life.some_orders(3, 1090001)

    def __init__(self, project: Project, credentials: Credentials) -> None:
        self.project = project
        self._credentials = credentials

    @contextlib.asynccontextmanager
    async def _life(self) -> AsyncIterator[life.Life]:
        async with Api(life.WEB, self._credentials) as api:
            yield life.Life(self.project, api, NAMESPACE)

    async def first(self) -> str:
        """The first orders, from placing to execution."""
        async with self._life() as one:
            await one.add_partners()
            await one.live(self.ORDERS)
            await one.check_lived(self.ORDERS)
        return f"{len(self.ORDERS)} orders, {len(life.mails())} mails"

    async def settled(self) -> str:
        """Bill these orders, and pay them."""
        async with self._life() as one:
            return await one.settle([order["sp_id"] for order in self.ORDERS])

    async def kill_while_orders_run(self, first: int) -> str:
        """Take orders through their life while containers are killed. `first`: the number of the first order."""
        async with self._life() as one:
            return await failures.kill_while_orders_run(one, first)

    async def later(self, first: int) -> str:
        """Check that the first orders are unchanged, and that a new one with this number can be executed."""
        async with self._life() as one:
            await one.check_lived(self.ORDERS)
            await one.live(life.some_orders(1, first))
        return f"{len(self.ORDERS)} orders, and a new one"


def live_in_production(lives: Lives, step: Steps) -> None:
    """Orders, a settlement, more workers, and killed processes."""
    step.wait("orders", lives.first)
    step.wait("a settlement", lives.settled)
    step("four workers", lambda: failures.scale(lives.project, 4))
    step.wait("killed meanwhile", lambda: lives.kill_while_orders_run(1090101))
    step("Temporal killed", lambda: failures.kill_temporal(lives.project))
    step("web killed", lambda: failures.kill_web(lives.project))
    step.wait("all of it is still there", lambda: lives.later(1090151))


def check_development(engine: Engine, folder: Path, step: Steps) -> None:
    """Both files with the values for development."""
    file = ROOT / "docker-compose.development.env"
    project = Project(engine, file, DEVELOPMENT)
    ports = {f"127.0.0.1:{port}" for port in (7233, 8000, 8025, 8233)}
    try:
        step("development: everything is up", lambda: project.up("--build"))
        step("development: ports", lambda: proofs.published(project, ports))
        step("development: networks", lambda: proofs.networks_apart(project))
        step("development: a mail", lambda: development_mail(project))
    finally:
        keep_logs(project, folder)
        project.down()


def development_mail(project: Project) -> str:
    """The invitation of the first login arrives at the mail catcher."""
    project.compose("exec", "-T", "web", "python", "starter.py", "admin", "--email", life.ADMIN)
    arrived = [mail for mail in life.mails("127.0.0.1") if life.ADMIN in mail["To"]]
    check(len(arrived) == 1, f"mails: {arrived}")
    return str(arrived[0]["Subject"])


CHECKS = ("production", "development")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit code: 1 if something does not hold."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=CHECKS, help="one of the two ways to run it")
    parser.add_argument("--folder", type=Path, default=ROOT / "var/compose-check")
    parser.add_argument(WITHIN, action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    folder, step = options.folder.resolve(), Steps()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that cleanup runs
    try:
        if not options.within:
            given = sys.argv[1:] if arguments is None else list(arguments)
            with alone_in(folder):
                prepare(folder, step)
                return run_in_namespaces(given, folder / "network.log")
        engine = Engine(folder, ROOT)
        try:
            step("Docker starts", engine.start)
            engine.clear()
            named = images(engine)
            step("stand-ins", lambda: stand_ins.build(engine, folder, named))
            world_outside(engine, named)
            if options.only != "development":
                check_production(engine, folder, step)
            if options.only != "production":
                check_development(engine, folder, step)
        finally:
            engine.stop()
    except (CheckFailed, CallFailed, RPCError, TimeoutError, httpx.HTTPError) as error:
        print(f"FAILED {type(error).__name__}: {error}", file=sys.stderr)
        print(f"the logs of the containers are in {folder}", file=sys.stderr)
        return 1
    print(f"all of it holds, after {(time.monotonic() - step.began) / 60:.1f} minutes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
