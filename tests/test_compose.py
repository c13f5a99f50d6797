"""docker-compose.yml, checked without an engine: the specification's schema, and that all it names exists."""

import ast
import json
import re
import shlex
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from settings import Settings

ROOT = Path(__file__).parent.parent
SOURCE = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(SOURCE)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]

_VARIABLE = re.compile(r"(?<!\$)\$\{(\w+):-([^}]*)\}")


def interpolated(text: str, env: dict[str, str]) -> str:
    """`${NAME:-default}` as Compose reads it; the file uses no other form."""
    return _VARIABLE.sub(lambda match: env.get(match[1]) or match[2], text)


def environment(service: str, env: dict[str, str]) -> dict[str, str]:
    return {
        name: interpolated(value, env) for name, value in SERVICES[service]["environment"].items()
    }


def seconds(duration: str) -> float:
    """A duration of Compose's, like `40s` or `1m30s`."""
    units = {"h": "hours", "m": "minutes", "s": "seconds"}
    parts = {units[unit]: int(number) for number, unit in re.findall(r"(\d+)([hms])", duration)}
    return timedelta(**parts).total_seconds()


def compose_schema() -> dict[str, Any]:
    """The schema of the Compose specification, as the package check-jsonschema ships it."""
    text = (files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json").read_text(
        encoding="utf-8"
    )
    schema: dict[str, Any] = json.loads(text)
    return schema


def test_it_is_a_compose_file() -> None:
    errors = jsonschema_rs.validator_for(compose_schema()).iter_errors(COMPOSE)
    assert [f"{list(error.instance_path)}: {error.message}" for error in errors] == []


def test_the_schema_would_find_a_mistake() -> None:
    wrong = {"services": {"worker": {"image": "cmi", "comand": ["python"]}}}
    assert not jsonschema_rs.validator_for(compose_schema()).is_valid(wrong)


def test_every_variable_has_a_default() -> None:
    named = re.findall(r"(?<!\$)\$(?!\$)\{?\w+", "\n".join(_without_comments(SOURCE)))
    assert len(named) == len(_VARIABLE.findall("\n".join(_without_comments(SOURCE))))


def _without_comments(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.lstrip().startswith("#")]


def test_every_cmi_variable_is_one_that_the_settings_know() -> None:
    known = {name for name, _, _ in Settings.variables()}
    assert set(re.findall(r"\bCMI_[A-Z_]*[A-Z]\b", "\n".join(_without_comments(SOURCE)))) <= known


@pytest.mark.parametrize("service", OURS)
@pytest.mark.parametrize(
    "env",
    [
        {},
        {
            "DB_PASSWORD": "x1",
            "CMI_SMTP_URL": "smtps://u:p@mail.example.ch",
            "CMI_OPERATIONS_LANGUAGE": "fr",
        },
    ],
    ids=["defaults", "production"],
)
def test_our_processes_can_read_their_environment(service: str, env: dict[str, str]) -> None:
    settings = Settings.from_env(environment(service, env))
    assert settings.database_url.startswith("postgresql+asyncpg://cmi:")
    assert settings.database_url.endswith("@postgresql:5432/cmi")
    assert settings.smtp.host == ("mail.example.ch" if env else "mailpit")


def test_passwords_agree_on_both_sides() -> None:
    env = {"DB_PASSWORD": "one", "TEMPORAL_DB_PASSWORD": "two"}
    assert environment("postgresql", env)["POSTGRES_PASSWORD"] == "one"
    assert "cmi:one@" in environment("worker", env)["CMI_DATABASE_URL"]
    assert environment("temporal", env)["POSTGRES_PWD"] == "two"
    assert environment("temporal-schema", env)["SQL_PASSWORD"] == "two"
    assert "PASSWORD 'two'" in interpolated(COMPOSE["configs"]["temporal-role"]["content"], env)


def test_workers_are_versioned_if_their_build_is_named() -> None:
    named = {"CMI_DEPLOYMENT_NAME": "cmi", "CMI_BUILD_ID": "1.4.0"}
    settings = Settings.from_env(environment("worker", named))
    assert (settings.deployment_name, settings.build_id) == ("cmi", "1.4.0")
    assert Settings.from_env(environment("worker", {})).build_id is None


def test_commands_name_what_is_in_the_repository() -> None:
    assert SERVICES["worker"]["command"] == ["python", "worker.py"]
    assert (ROOT / "worker.py").is_file()
    assert SERVICES["web"]["command"] == ["python", "-m", "web"]
    assert (ROOT / "web" / "__main__.py").is_file()
    assert SERVICES["migrate"]["command"] == ["alembic", "upgrade", "head"]
    assert (ROOT / "alembic.ini").is_file()
    for name in OURS:
        assert (ROOT / SERVICES[name]["build"] / "Dockerfile").is_file()


def test_dependencies_wait_for_what_can_be_waited_for() -> None:
    for name, service in SERVICES.items():
        for needed, how in service.get("depends_on", {}).items():
            condition = how["condition"]
            if condition == "service_healthy":
                assert "healthcheck" in SERVICES[needed], (name, needed)
            else:
                assert condition == "service_completed_successfully"
                assert SERVICES[needed]["restart"].startswith("on-failure"), (name, needed)


def test_what_is_mounted_is_declared_and_nothing_listens_to_the_world() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            assert volume.split(":")[0] in COMPOSE["volumes"]
        for config in service.get("configs", []):
            assert config["source"] in COMPOSE["configs"]
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_a_worker_has_the_time_to_drain_and_shows_that_it_lives() -> None:
    worker = SERVICES["worker"]
    settings = Settings.from_env(environment("worker", {}))
    assert seconds(worker["stop_grace_period"]) > settings.drain_seconds
    assert settings.worker_liveness_file is not None
    assert f"{settings.worker_liveness_file} " in worker["healthcheck"]["test"][1]
    assert str(settings.worker_liveness_file).startswith("/tmp/")  # the rest is read-only
    assert worker["restart"] == "unless-stopped"  # one that hung has ended itself
    assert str(settings.warehouse_dir).startswith(worker["volumes"][0].split(":")[1])


def test_the_web_application_listens_where_its_port_and_its_healthcheck_are() -> None:
    web = SERVICES["web"]
    settings = Settings.from_env(environment("web", {}))
    assert settings.http_host == "0.0.0.0"
    assert web["ports"] == [f"127.0.0.1:{settings.http_port}:{settings.http_port}"]
    assert f"http://127.0.0.1:{settings.http_port}/healthz" in web["healthcheck"]["test"][-1]
    assert environment("web", {})["CMI_PUBLIC_URL"].endswith(f":{settings.http_port}")
    trusted = Settings.from_env(environment("web", {"CMI_TRUSTED_PROXIES": "10.0.0.0/8"}))
    assert trusted.trusted_proxies == "10.0.0.0/8"


def test_temporal_is_found_and_knows_the_search_attributes() -> None:
    for name in [*OURS, "temporal-namespace", "temporal-ui"]:
        assert environment(name, {})["TEMPORAL_ADDRESS"] == "temporal:7233"
    (script,) = SERVICES["temporal-namespace"]["command"]
    attributes = {}
    for line in re.findall(r"search-attribute create (.*?)(?: &&)?$", script, re.MULTILINE):
        words = shlex.split(line)
        kind = words[words.index("--type") + 1]
        attributes |= {words[at + 1]: kind for at, word in enumerate(words) if word == "--name"}
    assert attributes == {
        "SpStatus": "Keyword",
        "SettlementStatus": "Keyword",
        "PartnerId": "Keyword",
        "Deadline": "Datetime",
        "Overdue": "Bool",
        "Canton": "Keyword",
    }


def local_imports(path: Path) -> set[str]:
    """Top-level modules and packages of this repository that the file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return {name for name in names if sources(name)}


def sources(name: str) -> list[Path]:
    """The files of a top-level module or package of this repository."""
    module = ROOT / f"{name}.py"
    return [module] if module.is_file() else sorted((ROOT / name).rglob("*.py"))


def test_the_image_holds_what_its_processes_import() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    needed, unread = set(), {"worker", "starter", "records", "web"}
    while unread:
        name = unread.pop()
        needed.add(name)
        unread |= set().union(*(local_imports(path) for path in sources(name))) - needed
    files_needed = {
        f"{name}.py" if (ROOT / f"{name}.py").is_file() else name for name in needed - {"starter"}
    }
    assert files_needed | {"starter.py", "alembic.ini", "templates", "locale"} <= allowed
    assert not {"tests", "bench", "dev.py", "development"} & allowed


def test_the_image_is_built_from_what_is_here_and_runs_as_nobody_special() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert "\nUSER cmi\n" in dockerfile
    assert "COPY pyproject.toml constraints.txt" in dockerfile
    assert (ROOT / "constraints.txt").is_file()
