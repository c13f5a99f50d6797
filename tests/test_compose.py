"""The Compose files, checked without an engine: the specification's schema, networks, roles, that all named exists."""

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

from contracts.keys import new_key
from development.compose_check import stand_ins
from development.compose_check.project import production_values
from settings import Settings
from settings.production import Finding, Process, findings
from settings.traces import are_traces_exported
from tests.test_architecture import parsed

ROOT = Path(__file__).parent.parent
SOURCES = {
    name: (ROOT / name).read_text(encoding="utf-8")
    for name in ("docker-compose.yml", "docker-compose.development.yml")
}
PRODUCTION, OVERRIDE = (yaml.safe_load(text) for text in SOURCES.values())
SERVICES: dict[str, dict[str, Any]] = PRODUCTION["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]
PROCESSES: tuple[Process, ...] = ("web", "worker")

DEVELOPMENT_ENV = dict(
    line.split("=", 1)
    for line in (ROOT / "docker-compose.development.env").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
)
ENV = {
    "DB_SUPERUSER_PASSWORD": "Nn7dR2xw0PzQ",
    "DB_OWNER_PASSWORD": "owner5xT9pLq2",
    "DB_APP_PASSWORD": "app8Hw3RvK6yz",
    "TEMPORAL_DB_PASSWORD": "temporal4Jm7Vc",
    "CMI_SMTP_URL": "smtps://u:pKq93nVb2@mail.haendler.ch",
    "CMI_MAIL_FROM": "cmi@haendler.ch",
    "CMI_MAIL_OPERATIONS": "service@haendler.ch",
    "CMI_MAIL_ACCOUNTING": "buchhaltung@haendler.ch",
    "CMI_COMPANY_NAME": "Haendler AG",
    "CMI_COMPANY_DEPARTMENT": "Buchhaltung",
    "CMI_COMPANY_STREET": "Hauptgasse 7",
    "CMI_COMPANY_POSTAL_CODE": "3000",
    "CMI_COMPANY_CITY": "Bern",
    "CMI_PUBLIC_URL": "https://cmi.haendler.ch",
    "CMI_ENCRYPTION_KEYS": new_key("2026-11"),
    "CMI_SECRET_KEY": "5bK0y8Z2tqWcJ7dXhR3nLmVfPaGsE9u4",
}
"""What whoever runs CMI in production has to give; the test of it holds this list against the file."""

_VARIABLE = re.compile(r"(?<!\$)\$\{(\w+):([-?])([^}]*)\}")


class Missing(Exception):
    """A variable that has to be set is not, or is empty."""


def interpolated(text: str, env: dict[str, str]) -> str:
    """`${NAME:-default}` and `${NAME:?message}` as Compose reads them; the files use no other form."""

    def value(match: "re.Match[str]") -> str:
        name, form, rest = match.groups()
        if not env.get(name) and form == "?":
            raise Missing(f"{name}: {rest}")
        return env.get(name) or rest

    return _VARIABLE.sub(value, text)


def required() -> set[str]:
    """The variables that have no default."""
    found = _VARIABLE.findall(_without_comments(SOURCES["docker-compose.yml"]))
    return {name for name, form, _ in found if form == "?"}


def environment(service: str, env: dict[str, str] | None = None) -> dict[str, str]:
    """The environment of a service in production; `env` is added to what is given there."""
    values = SERVICES[service]["environment"].items()
    return {name: interpolated(value, {**ENV, **(env or {})}) for name, value in values}


def development(service: str) -> dict[str, str]:
    """The environment of a service with the development's files on top."""
    over = OVERRIDE["services"].get(service, {}).get("environment", {})
    values = {**SERVICES.get(service, {}).get("environment", {}), **over}
    return {name: interpolated(value, DEVELOPMENT_ENV) for name, value in values.items()}


def networks(service: str, *, in_development: bool = False) -> set[str]:
    """The networks that a service is in."""
    more = OVERRIDE["services"].get(service, {}).get("networks", []) if in_development else []
    return {*SERVICES.get(service, {}).get("networks", []), *more}


def members(network: str) -> set[str]:
    """The services of production that are in a network."""
    return {name for name in SERVICES if network in networks(name)}


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


@pytest.mark.parametrize("given", [PRODUCTION, OVERRIDE], ids=["production", "development"])
def test_it_is_a_compose_file(given: dict[str, Any]) -> None:
    errors = jsonschema_rs.validator_for(compose_schema()).iter_errors(given)
    assert [f"{list(error.instance_path)}: {error.message}" for error in errors] == []


def test_the_schema_would_find_a_mistake() -> None:
    wrong = {"services": {"worker": {"image": "cmi", "comand": ["python"]}}}
    assert not jsonschema_rs.validator_for(compose_schema()).is_valid(wrong)


@pytest.mark.parametrize("name", SOURCES)
def test_every_variable_has_a_default_or_must_be_set(name: str) -> None:
    text = _without_comments(SOURCES[name])
    named = re.findall(r"(?<!\$)\$(?!\$)\{?\w+", text)
    assert len(named) == len(_VARIABLE.findall(text))


def test_what_must_be_set_says_what_it_is_and_nothing_secret_has_a_default() -> None:
    for name, form, rest in _VARIABLE.findall(_without_comments(SOURCES["docker-compose.yml"])):
        if form == "?":
            assert len(rest) > 5, name
        else:
            assert not re.search("PASSWORD|KEY|TOKEN", name) or rest == "", name
    assert required() == set(ENV)
    assert "development" not in _without_comments(SOURCES["docker-compose.yml"])


@pytest.mark.parametrize("name", ENV)
def test_what_must_be_set_is_missed_by_a_service(name: str) -> None:
    missed = []
    for service in SERVICES:
        try:
            for value in SERVICES[service].get("environment", {}).values():
                interpolated(value, {**ENV, name: ""})
        except Missing as error:
            missed.append(str(error))
    assert missed
    assert all(each.startswith(f"{name}: ") for each in missed)


def _without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))


def test_every_cmi_variable_is_one_that_the_settings_know() -> None:
    known = {name for name, _, _ in Settings.variables()}
    for text in (*SOURCES.values(), "\n".join(DEVELOPMENT_ENV)):
        assert set(re.findall(r"\bCMI_[A-Z_]*[A-Z]\b", _without_comments(text))) <= known


def test_every_setting_can_be_given_but_for_those_of_one_machine() -> None:
    passed = {name for service in PROCESSES for name in SERVICES[service]["environment"]}
    of_one_machine = {"CMI_MAIL_DIR", "CMI_SANDBOX", "CMI_FACTOR_EXEMPT"}
    assert {name for name, _, _ in Settings.variables()} - passed == of_one_machine
    # left empty they have their defaults
    for service in PROCESSES:
        given = environment(service)
        without_empty = {name: value for name, value in given.items() if value}
        assert Settings.from_env(given) == Settings.from_env(without_empty)


@pytest.mark.parametrize("service", PROCESSES)
def test_traces_are_exported_if_a_collector_is_named(service: Process) -> None:
    collector = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.haendler.ch:4318"}
    assert are_traces_exported(environment(service, collector))
    assert not are_traces_exported(environment(service))


@pytest.mark.parametrize("service", PROCESSES)
def test_our_processes_are_fit_for_production(service: Process) -> None:
    settings = Settings.from_env(environment(service))
    assert settings.production
    assert settings.database_url.startswith("postgresql+asyncpg://cmi_app:app8Hw3RvK6yz@postgresql")
    assert settings.smtp.host == "mail.haendler.ch"
    assert findings(settings, service, temporal=environment(service)) == ()


@pytest.mark.parametrize("service", PROCESSES)
def test_the_values_of_development_are_none_for_production(service: Process) -> None:
    env = development(service)
    settings = Settings.from_env(env)
    assert not settings.production
    assert settings.smtp.host == "mailpit"
    found = {each.finding for each in findings(settings, service)}
    assert found >= {
        Finding.PUBLIC_HTTP,
        Finding.WEAK_KEYS,
        Finding.DATABASE_PASSWORD,
        Finding.MAIL_ADDRESSES,
        Finding.COMPANY,
    }
    assert (Finding.WEAK_SECRET_KEY in found) == (service == "web")
    assert set(DEVELOPMENT_ENV) - {"COMPOSE_PROFILES"} == set(ENV)


def test_the_run_gives_all_that_must_be_set_and_has_a_stand_in_for_every_image() -> None:
    given = production_values()
    assert required() <= set(given)
    assert all(given[name] for name in required())
    for services in (SERVICES, OVERRIDE["services"]):
        for service in services.values():
            image = interpolated(service.get("image", ""), {})
            if image and not image.startswith("cmi:"):
                assert image.partition(":")[0] in stand_ins.BUILT_FROM
    base = stand_ins.base_of(ROOT / "Dockerfile")
    assert base.partition(":")[0] in stand_ins.BUILT_FROM


def test_passwords_agree_on_both_sides() -> None:
    database = environment("postgresql")
    for variable, role, service in (
        ("DB_APP_PASSWORD", "cmi_app", "web"),
        ("DB_APP_PASSWORD", "cmi_app", "worker"),
        ("DB_OWNER_PASSWORD", "cmi_owner", "migrate"),
    ):
        url = environment(service)["CMI_DATABASE_URL"]
        assert url == f"postgresql://{role}:{database[variable]}@postgresql:5432/cmi"
    for service, password in (("temporal", "POSTGRES_PWD"), ("temporal-schema", "SQL_PASSWORD")):
        assert environment(service)[password] == database["TEMPORAL_DB_PASSWORD"]
    assert environment("temporal")["POSTGRES_USER"] == "temporal"
    assert environment("temporal-schema")["SQL_USER"] == "temporal"


def test_the_roles_are_those_of_the_file_which_needs_these_passwords() -> None:
    (config,) = SERVICES["postgresql"]["configs"]
    assert config["target"].startswith("/docker-entrypoint-initdb.d/")
    path = PRODUCTION["configs"][config["source"]]["file"]
    sql = (ROOT / path).read_text(encoding="utf-8")
    wanted = set(re.findall(r"`printenv (\w+)`", sql))
    assert wanted == set(environment("postgresql")) - {"POSTGRES_PASSWORD"}
    assert set(re.findall(r"CREATE ROLE (\w+)", sql)) == {"cmi_owner", "cmi_app", "temporal"}
    # The script that makes Temporal's schema names the databases that the file makes.
    (script,) = SERVICES["temporal-schema"]["command"]
    made = set(re.findall(r"CREATE DATABASE (\w+)", sql))
    assert made == {"cmi", *re.findall(r"^schema (\w+)", script, re.MULTILINE)}


def test_each_secret_is_only_where_it_is_needed() -> None:
    holders = {
        name: {
            service
            for service in SERVICES
            if any(
                ENV[name] in interpolated(value, ENV)
                for value in SERVICES[service].get("environment", {}).values()
            )
        }
        for name in ENV
        if re.search("PASSWORD|KEY|SMTP", name)
    }
    assert holders == {
        "DB_SUPERUSER_PASSWORD": {"postgresql"},
        "DB_OWNER_PASSWORD": {"postgresql", "migrate"},
        "DB_APP_PASSWORD": {"postgresql", "web", "worker"},
        "TEMPORAL_DB_PASSWORD": {"postgresql", "temporal", "temporal-schema"},
        "CMI_SMTP_URL": {"web", "worker"},
        "CMI_ENCRYPTION_KEYS": {"web", "worker"},
        "CMI_SECRET_KEY": {"web"},
    }


def test_web_and_workers_reach_temporal_and_nothing_else_does() -> None:
    # The last two set the server up, or show it to operations if they ask for it.
    assert members("temporal") == {
        "temporal",
        "web",
        "worker",
        "temporal-namespace",
        "temporal-ui",
    }
    assert SERVICES["temporal-ui"]["profiles"] == ["ui"]
    assert members("temporal-store") == {"temporal", "temporal-schema", "postgresql"}
    assert members("records") == {"web", "worker", "migrate", "postgresql"}
    assert members("front") == {"web"}
    assert members("metrics") == {"web", "worker"}
    assert members("outside") == {"web", "worker"}
    assert members("ui") == {"temporal-ui"}


def test_networks_are_declared_and_the_inner_ones_lead_nowhere() -> None:
    for name in SERVICES:
        assert networks(name), f"{name} would be in a network with all the others"
        assert networks(name) <= set(PRODUCTION["networks"])
    inner = {name for name, how in PRODUCTION["networks"].items() if how and how.get("internal")}
    assert inner == {"records", "temporal", "temporal-store", "metrics"}
    for name in OVERRIDE["services"]:
        known = {*PRODUCTION["networks"], *OVERRIDE["networks"]}
        assert networks(name, in_development=True) <= known


def test_only_the_web_application_has_a_port_in_production() -> None:
    published = {
        name
        for name, service in SERVICES.items()
        if service.get("ports") and not service.get("profiles")
    }
    assert published == {"web"}
    for services in (SERVICES, OVERRIDE["services"]):
        for name, service in services.items():
            if service.get("ports"):  # one can be published only of a network that leads outside
                outer = networks(name, in_development=True) - {
                    *("records", "temporal", "temporal-store")
                }
                assert outer, name


def test_the_mail_catcher_is_for_development_only() -> None:
    assert "mailpit" not in _without_comments(SOURCES["docker-compose.yml"])
    assert "mailpit" in OVERRIDE["services"]
    for service in PROCESSES:
        assert networks("mailpit", in_development=True) & networks(service)
        assert "mailpit" in OVERRIDE["services"][service]["depends_on"]


def test_the_command_for_development_is_in_the_readme() -> None:
    (command,) = re.findall(
        r"^#   (docker .*development\.yml .*)$", SOURCES["docker-compose.yml"], re.M
    )
    assert command in (ROOT / "README.md").read_text(encoding="utf-8")
    for name in re.findall(r"docker-compose[\w.]+", command):
        assert (ROOT / name).is_file()


def test_workers_are_versioned_if_their_build_is_named() -> None:
    named = {"CMI_DEPLOYMENT_NAME": "cmi", "CMI_BUILD_ID": "1.4.0"}
    settings = Settings.from_env(environment("worker", named))
    assert (settings.deployment_name, settings.build_id) == ("cmi", "1.4.0")
    assert Settings.from_env(environment("worker")).build_id is None


def test_policies_come_from_a_folder_of_the_host_and_are_the_same_for_all() -> None:
    mounts = [
        volume
        for service in PROCESSES
        for volume in SERVICES[service]["volumes"]
        if isinstance(volume, dict)
    ]
    assert mounts[0] == mounts[1]
    source, target = mounts[0]["source"], mounts[0]["target"]
    assert interpolated(source, {"POLICY_FOLDER": "/srv/cmi"}) == "/srv/cmi"
    # without a folder of its own an installation starts, and reads no policy
    assert (ROOT / interpolated(source, {})).is_dir()
    named = {"CMI_POLICY": f"{target}/standard.toml", "CMI_POLICIES": f"{target}/policies"}
    for service in PROCESSES:
        settings = Settings.from_env(environment(service, named))
        assert (str(settings.policy), str(settings.policies)) == tuple(named.values())
        standard = Settings.from_env(environment(service))
        assert (standard.policy, standard.policies) == (None, None)
    documented = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    for name, value in {**named, "POLICY_FOLDER": "/srv/cmi"}.items():
        assert f"{name}={value}\n" in documented


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
    all_services = {**SERVICES, "mailpit": OVERRIDE["services"]["mailpit"]}
    for name, service in [*SERVICES.items(), *OVERRIDE["services"].items()]:
        for needed, how in service.get("depends_on", {}).items():
            condition = how["condition"]
            if condition == "service_healthy":
                assert "healthcheck" in all_services[needed], (name, needed)
            else:
                assert condition == "service_completed_successfully"
                assert SERVICES[needed]["restart"].startswith("on-failure"), (name, needed)


@pytest.mark.parametrize("given", [PRODUCTION, OVERRIDE], ids=["production", "development"])
def test_what_is_mounted_is_declared_and_nothing_listens_to_the_world(
    given: dict[str, Any],
) -> None:
    for service in given["services"].values():
        for volume in service.get("volumes", []):
            if isinstance(volume, str):
                assert volume.split(":")[0] in given["volumes"]
            else:  # a folder of the host: only what is there, and only to read
                assert volume["type"] == "bind"
                assert volume["read_only"] is True
                assert volume["bind"] == {"create_host_path": False}
        for config in service.get("configs", []):
            assert config["source"] in given["configs"]
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_a_worker_has_the_time_to_drain_and_shows_that_it_lives() -> None:
    worker = SERVICES["worker"]
    settings = Settings.from_env(environment("worker"))
    assert seconds(worker["stop_grace_period"]) > settings.drain_seconds
    assert settings.worker_liveness_file is not None
    assert f"{settings.worker_liveness_file} " in worker["healthcheck"]["test"][1]
    assert str(settings.worker_liveness_file).startswith("/tmp/")  # the rest is read-only
    assert worker["restart"] == "unless-stopped"  # one that hung has ended itself
    assert str(settings.warehouse_dir).startswith(worker["volumes"][0].split(":")[1])


def test_the_web_application_listens_where_its_port_and_its_healthcheck_are() -> None:
    web = SERVICES["web"]
    settings = Settings.from_env(environment("web"))
    assert settings.http_host == "0.0.0.0"
    assert web["ports"] == [f"127.0.0.1:{settings.http_port}:{settings.http_port}"]
    assert f"http://127.0.0.1:{settings.http_port}/healthz" in web["healthcheck"]["test"][-1]
    assert development("web")["CMI_PUBLIC_URL"].endswith(f":{settings.http_port}")
    trusted = Settings.from_env(environment("web", {"CMI_TRUSTED_PROXIES": "10.0.0.0/8"}))
    assert trusted.trusted_proxies == "10.0.0.0/8"


def test_temporal_is_found_and_knows_the_search_attributes() -> None:
    for name in ["web", "worker", "temporal-namespace", "temporal-ui"]:
        assert environment(name)["TEMPORAL_ADDRESS"] == "temporal:7233"
    (script,) = SERVICES["temporal-namespace"]["command"]
    attributes = {}
    for given in re.findall(r"search-attribute create((?:.*\\\n)*.*)", script):
        words = shlex.split(given.replace("\\\n", " "))
        # each name has a type of its own: the command leaves out those that have none
        assert words[::4] == ["--name"] * (len(words) // 4)
        assert words[2::4] == ["--type"] * (len(words) // 4)
        attributes |= dict(zip(words[1::4], words[3::4], strict=True))
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
    for node in parsed(path.read_text(encoding="utf-8")).imports:
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif node.module and not node.level:
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
    assert "COPY requirements.lock" in dockerfile
    assert (
        "--require-hashes --no-deps --only-binary :all: --requirement requirements.lock"
        in dockerfile
    )
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "!requirements.lock" in ignored
