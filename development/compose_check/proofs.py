"""Checks of the running project: start order, confinement, secrets, roles of the database, separate networks."""

import json
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from development.compose_check.engine import run
from development.compose_check.project import HOST, POLICIES, Project, check

OURS = ("migrate", "web", "worker")
"""The services that run the image of the Dockerfile."""
PORTS = {"postgresql": 5432, "temporal": 7233, "web": 8000, "mailpit": 1025, "temporal-ui": 8080}
LOGINS = (
    # role, password, database, statement, what PostgreSQL says; empty: it does it
    ("cmi_app", "DB_APP_PASSWORD", "cmi", "SELECT count(*) FROM orders", ""),
    ("cmi_app", "DB_APP_PASSWORD", "cmi", "CREATE TABLE mine (a int)", "permission denied"),
    ("cmi_app", "DB_APP_PASSWORD", "cmi", "DROP TABLE orders", "must be owner"),
    ("cmi_app", "DB_APP_PASSWORD", "temporal", "SELECT 1", "permission denied"),
    ("cmi_owner", "DB_OWNER_PASSWORD", "temporal", "SELECT 1", "permission denied"),
    ("temporal", "TEMPORAL_DB_PASSWORD", "temporal", "SELECT * FROM schema_version", ""),
    ("temporal", "TEMPORAL_DB_PASSWORD", "cmi", "SELECT 1", "permission denied"),
    ("temporal", "DB_APP_PASSWORD", "temporal", "SELECT 1", "password authentication failed"),
)
_PROBE = """
import json, os, sys
def writable(folder):
    path = os.path.join(folder, ".probe")
    try:
        open(path, "w").close()
    except OSError:
        return False
    os.remove(path)
    return True
print(json.dumps({"uid": os.getuid(), "writable": [f for f in sys.argv[1:] if writable(f)]}))
"""
_CONNECT = """
import json, socket, sys
reached = []
for target in sys.argv[1:]:
    host, port = target.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), 1).close()
    except OSError:
        continue
    reached.append(target)
print(json.dumps(reached))
"""
_POLICIES = """
import json
from settings import Settings
read = Settings.from_env().load_policies()
print(json.dumps([str(read.standard.deadlines.accept), sorted(read.named)]))
"""


def what_is_missing_is_named(project: Project) -> str:
    """Compose refuses to start without values, and a process refuses what must not be in production."""
    said = project.engine.docker(
        *(
            "compose",
            "--env-file",
            "/dev/null",
            "--file",
            "docker-compose.yml",
            "config",
            "--quiet",
        ),
        ok=False,
    )
    check(said.returncode and "is missing a value" in said.stderr, f"it should refuse: {said}")
    files = ("compose", "--env-file", str(project.env_file), "--file", project.files[0])
    nowhere = {"POLICY_FOLDER": "/srv/nowhere"}
    refused = project.engine.docker(
        *files, "run", "--rm", "--no-deps", "web", env=nowhere, ok=False
    )
    check(
        refused.returncode and "/srv/nowhere" in refused.stderr,
        f"a folder that does not exist should be named: {refused}",
    )
    given = ("--rm", "--no-deps", "--env", "CMI_PUBLIC_URL=http://cmi.haendler.ch")
    refused = project.engine.docker(*files, "run", *given, "web", ok=False)
    check(
        refused.returncode == 2 and "CMI_PUBLIC_URL" in refused.stderr,
        f"web should refuse http: {refused}",
    )
    (missed,) = re.findall(r"required variable (\w+)", said.stderr)
    return str(missed)


def start_order(project: Project) -> str:
    """Each container was started after what it depends on was healthy, or had ended well."""
    events = project.events()
    pairs = 0
    for service, given in project.config()["services"].items():
        for needed, how in given.get("depends_on", {}).items():
            started = [e.at for e in events if e.service == service and e.what == "start"]
            healthy = how["condition"] == "service_healthy"
            ready = [
                e.at
                for e in events
                if e.service == needed
                and (e.what == "health_status: healthy" if healthy else e.exit_code == 0)
            ]
            check(
                started and ready and min(ready) <= min(started),
                f"{service} began at {started[:1]}, but {needed} was ready at {ready[:1]}",
            )
            pairs += 1
    return f"{pairs} dependencies"


def confinement(project: Project) -> str:
    """Our processes have an ordinary user and no capabilities, and write only where they must."""
    folders = {"/", "/app", "/opt/cmi", "/etc", "/etc/cmi", "/tmp", "/var/lib/cmi"}
    writable = {"web": ["/tmp"], "worker": ["/tmp", "/var/lib/cmi"]}
    for each in project.containers():
        if each.service not in writable:
            continue
        probe = ("exec", each.id, "python", "-c", _PROBE, *sorted(folders))
        found = json.loads(project.engine.docker(*probe).stdout)
        expected = {"uid": 10001, "writable": writable[each.service]}
        check(found == expected, f"{each.name}: {found}, expected {expected}")
        for pid in _processes(each.pid):
            state = _status(pid)
            check(
                state["Uid"].split()[0] == "10001", f"{each.name}: process {pid} is {state['Uid']}"
            )
            capabilities = {
                state[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
            }
            check(capabilities == {"0" * 16}, f"{each.name}: process {pid} may {capabilities}")
            check(state["NoNewPrivs"] == "1", f"{each.name}: process {pid} may gain privileges")
            check(
                state["Seccomp"] == "2", f"{each.name}: process {pid} has no filter of system calls"
            )
        check("init" in _status(each.pid)["Name"], f"{each.name} has no init process")
    return "user 10001, no capabilities, read-only roots"


def policies(project: Project) -> str:
    """Web and workers read the policies in the folder of the host: the standard one, and those with a name."""
    names = sorted(Path(name).stem for name in POLICIES if name.startswith("policies/"))
    for each in (*project.containers("web"), *project.containers("worker")):
        said = json.loads(project.engine.docker("exec", each.id, "python", "-c", _POLICIES).stdout)
        expected = ["7 working days", names]
        check(said == expected, f"{each.name} reads {said}, expected {expected}")
    return f"the standard one, {', '.join(names)}"


def _status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _processes(first: int) -> list[int]:
    """A process and its children, and theirs."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            parents[int(path.name)] = int(_status(int(path.name))["PPid"])
    family = [first]
    for pid in family:
        family += [child for child, parent in parents.items() if parent == pid]
    return family


def secrets_apart(project: Project, values: dict[str, str]) -> str:
    """Each secret is only with those that need it: not in other containers, commands, the image, or a log."""
    holders = {
        "DB_SUPERUSER_PASSWORD": {"postgresql"},
        "DB_OWNER_PASSWORD": {"postgresql", "migrate"},
        "DB_APP_PASSWORD": {"postgresql", "web", "worker"},
        "TEMPORAL_DB_PASSWORD": {"postgresql", "temporal", "temporal-schema"},
        "CMI_ENCRYPTION_KEYS": {"web", "worker"},
        "CMI_SECRET_KEY": {"web"},
    }
    containers = project.containers()
    logs = project.logs()
    image = project.engine.docker("history", "--no-trunc", "cmi:local").stdout
    image += project.engine.docker("image", "inspect", "cmi:local").stdout
    for name, expected in holders.items():
        secret = values[name].rpartition(":")[2]
        found = {e.service for e in containers if secret in " ".join(e.environment.values())}
        check(found == expected, f"{name} is in the environments of {found}, not of {expected}")
        check(secret not in logs, f"{name} is in a log")
        check(secret not in image, f"{name} is in the image")
        for each in containers:
            told = json.dumps([each.report["Config"]["Cmd"], each.report["Config"]["Entrypoint"]])
            check(secret not in told, f"{name} is in the command of {each.name}")
    return f"{len(holders)} secrets"


def roles(project: Project, values: dict[str, str]) -> str:
    """Each role of the database does what it needs, and nothing else."""
    for role, password, database, statement, refused in LOGINS:
        login = ("psql", "--host", "127.0.0.1", "--username", role, "--dbname", database)
        done = project.engine.docker(
            *(
                "exec",
                "--env",
                f"PGPASSWORD={values[password]}",
                project.container("postgresql").id,
            ),
            *(*login, "--no-password", "--command", statement),
            ok=False,
        )
        as_expected = refused in done.stderr if refused else not done.returncode
        check(as_expected, f"{role} in {database}: {statement}: {done.stdout}{done.stderr}")
    return f"{len(LOGINS)} statements"


def networks_apart(project: Project) -> str:
    """Containers reach each other only in networks that they share, and the outside only from one that leads there."""
    config = project.config()
    running = [each for each in project.containers() if each.is_running]
    for each in project.containers():
        named = set(config["services"][each.service]["networks"])
        check(
            set(each.addresses) == named, f"{each.name} is in {set(each.addresses)}, not in {named}"
        )
    tried = 0
    for each in running:
        inner = all(config["networks"][name].get("internal") for name in each.addresses)
        targets = {f"{HOST}:1025": not inner}
        for other in running:
            if other.id != each.id and other.service in PORTS:
                for network, address in other.addresses.items():
                    targets[f"{address}:{PORTS[other.service]}"] = network in each.addresses
        reached = _reached_from(each.pid, list(targets))
        expected = {target for target, reachable in targets.items() if reachable}
        check(reached == expected, f"{each.name} reaches {reached}, expected {expected}")
        tried += len(targets)
    return f"{tried} connections tried"


def _reached_from(pid: int, targets: list[str]) -> set[str]:
    within = ["nsenter", "--net", "--target", str(pid)]
    said = run([*within, sys.executable, "-c", _CONNECT, *targets], patience=5 + 2 * len(targets))
    reached: list[str] = json.loads(said.stdout)
    return set(reached)


def published(project: Project, expected: set[str]) -> str:
    """Only these ports of this machine lead to a container."""
    found = {
        f"{where['HostIp']}:{where['HostPort']}"
        for each in project.containers()
        for bound in (each.report["HostConfig"]["PortBindings"] or {}).values()
        for where in bound
    }
    check(found == expected, f"published are {found}, expected {expected}")
    return ", ".join(sorted(found))


def proxy(project: Project) -> str:
    """A proxy on this machine comes from the gateway of the network `front`, which CMI_TRUSTED_PROXIES has to name."""
    web = project.container("web")
    gateway = web.report["NetworkSettings"]["Networks"]["cmi_front"]["Gateway"]
    lines = project.engine.docker("logs", web.id).stderr.splitlines()
    warned = [json.loads(line) for line in lines if "X-Forwarded-For comes from" in line]
    found = {each["address"] for each in warned}
    check(found == {gateway}, f"web sees the proxy at {found}, the gateway is {gateway}")
    return str(gateway)


def temporal_is_set_up(project: Project, retention: str) -> str:
    """The namespace has its retention and its search attributes, by the command that docs/operations.md names."""
    told = _temporal(project, "operator", "namespace", "describe", "--output", "json")
    kept = json.loads(told)["config"]["workflowExecutionRetentionTtl"]
    check(kept == retention, f"the namespace keeps {kept}, not {retention}")
    told = _temporal(project, "operator", "search-attribute", "list", "--output", "json")
    attributes: dict[str, Any] = json.loads(told)["customAttributes"]
    expected = {"SpStatus", "SettlementStatus", "PartnerId", "Canton", "Deadline", "Overdue"}
    check(expected <= set(attributes), f"search attributes: {sorted(attributes)}")
    return f"retention {kept}, {len(expected)} search attributes"


def workers_that_poll(project: Project) -> set[str]:
    """The containers whose workers ask Temporal for work, by the ids that they give themselves."""
    told = _temporal(
        project, "task-queue", "describe", "--task-queue", "orders", "--output", "json"
    )
    pollers = json.loads(told).get("pollers") or []
    return {str(each["identity"]).partition("@")[2] for each in pollers}


def _temporal(project: Project, *arguments: str) -> str:
    given = ("run", "--rm", "--no-deps", "-T", "--entrypoint", "temporal", "temporal-namespace")
    return project.compose(*given, *arguments)
