"""The roles of `scripts/postgresql_roles.sql`, made by that file, or its grants for other names."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy.engine import URL

from scripts.system_packages import postgres_programs

FILE = Path(__file__).parents[2] / "scripts" / "postgresql_roles.sql"
PASSWORDS = {
    "DB_OWNER_PASSWORD": "owner-Wn3'q",
    "DB_APP_PASSWORD": "application-Zt8",
    "TEMPORAL_DB_PASSWORD": "temporal-Hk5",
}


def make_roles(server: URL) -> None:
    """Run the file on a server, as the superuser of the URL."""
    done = run_file(server, PASSWORDS)
    assert done.returncode == 0, done.stderr


def run_file(server: URL, passwords: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run the file with these passwords in the environment. Returns how psql ended."""
    programs = postgres_programs()
    beside = programs / "psql" if programs else Path("psql")
    url = server.set(drivername="postgresql").render_as_string(hide_password=False)
    return subprocess.run(
        [str(beside) if beside.exists() else "psql", "--no-psqlrc", url, "--file", str(FILE)],
        env={**os.environ, **passwords},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def grants(owner: str, application: str) -> list[str]:
    """The statements of the file about rights in the database, for two other roles."""
    _, _, rest = FILE.read_text(encoding="utf-8").partition("\\connect cmi\n")
    lines = [line for line in rest.splitlines() if not line.startswith("--")]
    found = " ".join(lines).replace("cmi_owner", owner).replace("cmi_app", application).split(";")
    return [statement.strip() for statement in found if statement.strip()]
