"""The Compose project as Docker runs it: its files and values, its containers, and their events."""

import json
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contracts.keys import new_key
from development.compose_check.engine import CheckFailed, Engine

UP = ("up", "--detach", "--wait", "--wait-timeout", "300", "--pull", "never")
HOST = "10.0.2.100"
"""The address of this machine in its namespace, as slirp4netns gives it: the containers see it as the world outside."""
NAMESPACE = "cmi"
"""The namespace in Temporal. It is not `default`, which the development server makes by itself."""
POLICIES = {
    "standard.toml": '[deadlines]\naccept = "7 working days"\n',
    "policies/saturdays.toml": "[calendar]\nsaturday_is_working_day = true\n",
}
"""The policies of this installation, as files of a folder of the host."""


def write_policies(folder: Path) -> Path:
    """Write the files of `POLICIES` below this folder, for everybody to read. Returns their folder."""
    own = folder / "policies-of-the-host"
    for name, text in POLICIES.items():
        path = own / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)
        path.parent.chmod(0o755)
    return own


def production_values() -> dict[str, str]:
    """Values for all variables that docker-compose.yml requires. Secrets are random."""
    return {
        "DB_SUPERUSER_PASSWORD": secrets.token_hex(16),
        "DB_OWNER_PASSWORD": secrets.token_hex(16),
        "DB_APP_PASSWORD": secrets.token_hex(16),
        "TEMPORAL_DB_PASSWORD": secrets.token_hex(16),
        "CMI_SMTP_URL": f"smtp://{HOST}:1025",
        "CMI_MAIL_FROM": "cmi@haendler.ch",
        "CMI_MAIL_OPERATIONS": "service@haendler.ch",
        "CMI_MAIL_ACCOUNTING": "buchhaltung@haendler.ch",
        "CMI_COMPANY_NAME": "Haendler AG",
        "CMI_COMPANY_DEPARTMENT": "Kreditoren",
        "CMI_COMPANY_STREET": "Hauptgasse 7",
        "CMI_COMPANY_POSTAL_CODE": "3000",
        "CMI_COMPANY_CITY": "Bern",
        "CMI_PUBLIC_URL": "https://cmi.haendler.ch",
        "CMI_ENCRYPTION_KEYS": new_key("check"),
        "CMI_SECRET_KEY": secrets.token_urlsafe(32),
        "TEMPORAL_NAMESPACE": NAMESPACE,
        "CMI_POLICY": "/etc/cmi/standard.toml",
        "CMI_POLICIES": "/etc/cmi/policies",
    }


@dataclass(frozen=True)
class Container:
    """The state of a container as Docker reports it now; `report` is all of it."""

    service: str
    report: dict[str, Any]

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.report["Id"])

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.report["Name"]).lstrip("/")

    @property
    def pid(self) -> int:
        """The process id of its first process, as this machine counts; 0 if it does not run."""
        return int(self.report["State"]["Pid"])

    @property
    def is_running(self) -> bool:
        """Whether it runs."""
        return bool(self.report["State"]["Running"])

    @property
    def health(self) -> str:
        """`healthy`, `unhealthy`, `starting`; empty if it has no check."""
        return str(self.report["State"].get("Health", {}).get("Status", ""))

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which it was made."""
        return dict(each.partition("=")[::2] for each in self.report["Config"]["Env"])

    @property
    def addresses(self) -> dict[str, str]:
        """Its address in each network, by the network's name in the Compose file."""
        networks = self.report["NetworkSettings"]["Networks"]
        return {name.removeprefix("cmi_"): each["IPAddress"] for name, each in networks.items()}


@dataclass(frozen=True)
class Event:
    """Something that happened to a container of a service, at this second of Unix time."""

    at: float
    service: str
    what: str
    exit_code: int | None


@dataclass
class Project:
    """The Compose files with the values in `env_file`."""

    engine: Engine
    env_file: Path
    files: tuple[str, ...] = ("docker-compose.yml",)
    began: float = field(default_factory=time.time)

    def compose(
        self, *arguments: str, patience: float = 120, ok: bool = True, text: str | None = None
    ) -> str:
        """Run `docker compose` with these arguments. Returns what it prints on stdout.

        Raises:
            CheckFailed: it failed (if `ok`), or took too long.
        """
        files = [text for name in self.files for text in ("--file", name)]
        given = ("compose", "--ansi", "never", "--env-file", str(self.env_file), *files, *arguments)
        return self.engine.docker(*given, patience=patience, ok=ok, text=text).stdout

    def up(self, *more: str) -> None:
        """Start the services that are not up yet, and wait until all are healthy.

        Raises:
            CheckFailed: a container is not healthy; with its logs.
        """
        try:
            self.compose(*UP, *more, patience=900)
        except CheckFailed as error:
            raise CheckFailed(f"{error}\n{self.logs_of_ill()}") from error

    def down(self) -> None:
        """Stop and remove all containers, networks and volumes."""
        self.compose("--profile", "*", "down", "--volumes", "--timeout", "5", patience=180)

    def config(self) -> dict[str, Any]:
        """The files as Compose reads them."""
        said: dict[str, Any] = json.loads(self.compose("config", "--format", "json"))
        return said

    def containers(self, service: str | None = None) -> list[Container]:
        """All containers of the project or of one of its services, also those that have ended."""
        label = "label=com.docker.compose.project=cmi"
        ids = self.engine.lines("ps", "--all", "--quiet", "--no-trunc", "--filter", label)
        found = json.loads(self.engine.docker("inspect", *ids).stdout) if ids else []
        known = [
            Container(each["Config"]["Labels"]["com.docker.compose.service"], each)
            for each in found
            if each["Config"]["Labels"].get("com.docker.compose.oneoff") != "True"
        ]
        return sorted(
            (each for each in known if service in (None, each.service)), key=lambda each: each.name
        )

    def container(self, service: str) -> Container:
        """The one container of a service."""
        (found,) = self.containers(service)
        return found

    def events(self, since: float | None = None) -> list[Event]:
        """The events of containers since an instant, in their order; by default since the beginning."""
        spoken = self.engine.lines(
            *("events", "--since", f"{self.began if since is None else since:.3f}"),
            *("--until", f"{time.time():.3f}", "--filter", "type=container"),
            *("--format", "{{json .}}"),
        )
        events = []
        for line in spoken:
            said = json.loads(line)
            about = said["Actor"]["Attributes"]
            service = about.get("com.docker.compose.service")
            if service and about.get("com.docker.compose.oneoff") != "True":
                code = about.get("exitCode")
                events.append(
                    Event(
                        said["timeNano"] / 1e9,
                        service,
                        said["Action"]
                        + (f" {about['signal']}" if said["Action"] == "kill" else ""),
                        None if code is None else int(code),
                    )
                )
        return events

    def logs(self) -> str:
        """The logs of all containers."""
        return self.compose("logs", "--no-color", patience=60)

    def logs_of_ill(self) -> str:
        """The ends of the logs of the containers that are not healthy."""
        texts = []
        for each in self.containers():
            state = each.report["State"]
            if each.health not in ("", "healthy") or (not each.is_running and state["ExitCode"]):
                shown = self.engine.docker("logs", "--tail", "40", each.id, ok=False)
                checks = [log["Output"].strip() for log in state.get("Health", {}).get("Log", [])]
                texts.append(
                    f"--- {each.name}: {state['Status']} {each.health}, exit code {state['ExitCode']}\n"
                    f"{shown.stdout}{shown.stderr}{checks[-1:]}"
                )
        return "\n".join(texts)

    def until_healthy(self, services: Iterable[str], patience: float = 120) -> None:
        """Wait until all containers of these services run and are healthy again."""
        wanted = set(services)
        wait_until(
            lambda: all(
                each.is_running and each.health in ("", "healthy")
                for each in self.containers()
                if each.service in wanted
            ),
            f"{', '.join(sorted(wanted))} to be healthy",
            patience,
            self.logs_of_ill,
        )


def wait_until(
    holds: Callable[[], bool], what: str, patience: float, explain: Callable[[], str] = str
) -> None:
    """Wait until a condition holds.

    Raises:
        CheckFailed: it does not hold within `patience` seconds.
    """
    end = time.monotonic() + patience
    while not holds():
        if time.monotonic() > end:
            raise CheckFailed(f"waited {patience:.0f} s in vain for {what}\n{explain()}")
        time.sleep(0.5)


def check(holds: object, finding: str) -> None:
    """Raise `CheckFailed` with this finding if the condition does not hold."""
    if not holds:
        raise CheckFailed(finding)
