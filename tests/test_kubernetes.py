"""The files for Kubernetes, built by kustomize: schemas, settings, commands, ports, and who is confined."""

import base64
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from contracts.keys import new_key
from settings import Settings
from settings.production import Process, findings
from tests.test_compose import SERVICES, seconds
from worker import QUEUES

ROOT = Path(__file__).parent.parent
KUBECTL = Path(sys.executable).parent / "kubectl"
KEDA = ("ScaledObject", "TriggerAuthentication")
WORKERS = {f"cmi-worker-{queue}": queue for queue in QUEUES}
SAMPLES = {
    "CMI_DATABASE_URL": "postgresql://cmi_app:Lq7rT2mZx9Vb@postgresql.cmi.svc:5432/cmi",
    "CMI_ENCRYPTION_KEYS": new_key("2026-11"),
    "CMI_SECRET_KEY": "5bK0y8Z2tqWcJ7dXhR3nLmVfPaGsE9u4",
    "CMI_SMTP_URL": "smtps://cmi:vK4w-91pZ@mail.haendler.ch",
    "CMI_WAREHOUSE_TOKEN": "Nn7dR2xw0PzQ",
    "TEMPORAL_API_KEY": "key",
}
"""In place of the example's secrets, which only say what is to be given."""


@cache
def built(name: str) -> tuple[dict[str, Any], ...]:
    """What `kubectl kustomize` makes of one of the folders."""
    done = subprocess.run(
        [KUBECTL, "kustomize", ROOT / "ops" / "kubernetes" / name],
        capture_output=True,
        text=True,
        check=True,
    )
    return tuple(yaml.safe_load_all(done.stdout))


def of_kind(kind: str, name: str = "example") -> dict[str, dict[str, Any]]:
    """The objects of a kind, by their names."""
    return {o["metadata"]["name"]: o for o in built(name) if o["kind"] == kind}


def pods() -> dict[str, dict[str, Any]]:
    """The templates of all pods, by the names of what starts them."""
    started = {**of_kind("Deployment"), **of_kind("Job", "migrate")}
    return {name: o["spec"]["template"] for name, o in started.items()}


def container(name: str) -> dict[str, Any]:
    """The only container of a pod."""
    (only,) = pods()[name]["spec"]["containers"]
    return dict(only)


def environment(name: str) -> dict[str, str]:
    """The environment of a container, from the example's settings and secrets."""
    maps, secrets = of_kind("ConfigMap"), of_kind("Secret")
    given: dict[str, str] = {}
    for source in container(name)["envFrom"]:
        if "configMapRef" in source:
            given |= maps[source["configMapRef"]["name"]]["data"]
        else:
            data = secrets[source["secretRef"]["name"]]["data"]
            given |= {key: base64.b64decode(value).decode() for key, value in data.items()}
    own = {each["name"]: each["value"] for each in container(name).get("env", ())}
    return {**given, **own}


@pytest.mark.parametrize("name", ["base", "migrate", "example"])
def test_kubernetes_knows_every_field(name: str) -> None:
    assert built(name)
    for each in built(name):
        if each["kind"] not in KEDA:  # not of Kubernetes itself
            kubernetes_validate.validate(each, "1.34", strict=True)


def test_the_schemas_would_find_a_mistake() -> None:
    wrong = {**of_kind("Service", "base")["cmi-web"], "spec": {"port": [{"port": 80}]}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, "1.34", strict=True)


def test_commands_and_ports_are_those_of_compose() -> None:
    assert container("cmi-web")["args"] == SERVICES["web"]["command"]
    assert container("cmi-migrate")["args"] == SERVICES["migrate"]["command"]
    for name, queue in WORKERS.items():
        assert container(name)["args"] == [*SERVICES["worker"]["command"], "--queues", queue]
    assert set(pods()) == {"cmi-web", "cmi-migrate", *WORKERS}
    (port,) = container("cmi-web")["ports"]
    assert port["containerPort"] == Settings.from_env(web_settings()).http_port == 8000
    assert of_kind("Service")["cmi-web"]["spec"]["ports"][0]["targetPort"] == port["name"]


def web_settings() -> dict[str, str]:
    """The example's environment of web, with secrets."""
    return {**environment("cmi-web"), **SAMPLES}


@pytest.mark.parametrize("name", ["cmi-web", *WORKERS])
def test_the_settings_exist_and_are_fit_for_production(name: str) -> None:
    given = environment(name)
    known = {variable for variable, _, _ in Settings.variables()}
    assert {each for each in given if each.startswith("CMI_")} <= known
    env = {key: SAMPLES.get(key, value) for key, value in given.items()}
    process: Process = "web" if name == "cmi-web" else "worker"
    settings = Settings.from_env(env)
    assert findings(settings, process, temporal=env) == ()
    drain = pods()[name]["spec"]["terminationGracePeriodSeconds"]
    assert drain > settings.drain_seconds
    service = SERVICES["web" if process == "web" else "worker"]
    assert drain >= seconds(service["stop_grace_period"])


def test_secrets_are_only_where_they_are_needed() -> None:
    assert "CMI_SECRET_KEY" in environment("cmi-web")
    for name, queue in WORKERS.items():
        given = environment(name)
        assert "CMI_SECRET_KEY" not in given
        assert ("CMI_SMTP_URL" in given) == ("CMI_WAREHOUSE_TOKEN" in given) == (queue == "orders")
    assert [s["secretRef"]["name"] for s in container("cmi-migrate")["envFrom"]] == ["cmi-owner"]


def test_every_pod_is_confined_and_has_limits() -> None:
    for name, pod in pods().items():
        spec, only = pod["spec"], container(name)
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert only["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"cpu", "memory"} <= set(only["resources"]["requests"])
        assert "memory" in only["resources"]["limits"]
        assert [mount["mountPath"] for mount in only["volumeMounts"]] == ["/tmp"]
        assert pod["metadata"]["labels"]["app.kubernetes.io/part-of"] == "cmi"


def test_every_deployment_may_lose_one_pod_and_shows_that_it_lives() -> None:
    budgets, selected = of_kind("PodDisruptionBudget"), of_kind("Deployment")
    assert set(budgets) == set(selected)
    for name, deployment in selected.items():
        assert budgets[name]["spec"]["selector"] == deployment["spec"]["selector"]
        assert {"startupProbe", "livenessProbe"} <= set(container(name))
    assert container("cmi-web")["readinessProbe"]["httpGet"]["path"] == "/readyz"


def test_networks_are_closed_but_for_what_is_needed() -> None:
    policies = of_kind("NetworkPolicy", "base")
    closed = policies["cmi-nothing"]["spec"]
    assert closed["podSelector"]["matchLabels"] == {"app.kubernetes.io/part-of": "cmi"}
    assert set(closed) == {"podSelector", "policyTypes"}  # and no rule
    everywhere = {
        name: [
            port["port"]
            for rule in p["spec"].get("egress", ())
            if "to" not in rule
            for port in rule["ports"]
        ]
        for name, p in policies.items()
    }
    assert {name: ports for name, ports in everywhere.items() if ports} == {
        "cmi-web": [465, 587],
        "cmi-worker-orders": [443, 465, 587],
    }
    assert [name for name, p in policies.items() if "ingress" in p["spec"]] == ["cmi-web"]


def test_workers_follow_the_backlog_of_their_queues() -> None:
    scaled = of_kind("ScaledObject")
    namespace = environment("cmi-web")["TEMPORAL_NAMESPACE"]
    assert set(scaled) == set(WORKERS)
    for name, each in scaled.items():
        spec = each["spec"]
        assert spec["scaleTargetRef"]["name"] == name
        assert "replicas" not in of_kind("Deployment")[name]["spec"]
        assert spec["scaleTargetRef"]["envSourceContainerName"] == container(name)["name"]
        for trigger in spec["triggers"]:
            assert trigger["type"] == "temporal"
            assert trigger["metadata"]["taskQueue"] == WORKERS[name]
            assert trigger["metadata"]["namespace"] == namespace
            assert trigger["metadata"]["endpointFromEnv"] == "TEMPORAL_ADDRESS"
            assert set(map(type, trigger["metadata"].values())) == {str}
            assert trigger["authenticationRef"]["name"] in of_kind("TriggerAuthentication")
    kinds = {t["metadata"]["queueTypes"] for t in scaled["cmi-worker-orders"]["spec"]["triggers"]}
    assert kinds == {"workflow", "activity"}
