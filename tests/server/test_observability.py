"""What an instance shows to Prometheus, seen from outside; the alerts and dashboards that are made of it."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
import pytest_asyncio
import yaml

from development.embedded import ROOT
from domain.orders.order import Status
from scripts import draw_dashboards
from tests.server.surroundings import eventually
from tests.support.instance import Instance, instance
from tests.support.needs import needs

OPS = ROOT / "ops"
RULES = [
    rule
    for group in yaml.safe_load((OPS / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
DASHBOARDS = sorted((OPS / "grafana").glob("*.json"))

pytestmark = [needs("prometheus"), pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Instance]:
    """An instance with an order, and Prometheus, which has scraped it twice."""
    async with instance(tmp_path_factory.mktemp("observed")) as it:
        await it.around.reaches(await it.around.place("SP-1"), Status.NEW)
        async with httpx.AsyncClient(base_url=it.url, timeout=30) as caller:

            async def is_ready() -> bool:
                return (await caller.get("/readyz")).status_code == 200

            await eventually(is_ready)  # so that it has called Temporal
            for path in ("/login", "/api/v1/orders/SP-1", "/no-such-page/Regula"):
                await caller.get(path)
            page = (await caller.get("/login")).text
            hidden = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page)
            given = {**dict(hidden), "email": "x@y.example", "password": "wrong password"}
            answer = await caller.post("/login", data=given)
            assert answer.status_code < 500
        await it.start_prometheus(OPS / "alerts.yml")

        async with httpx.AsyncClient(base_url=it.url, timeout=30) as caller:

            async def has_rates() -> bool:
                await caller.get("/login")  # what was counted before the first scrape gives no rate
                return bool(await it.query("rate(cmi_http_requests_total[5m]) > 0"))

            await eventually(has_rates)
        yield it


def panels() -> Iterator[tuple[str, dict[str, Any], str]]:
    """Dashboard, panel and expression of each query."""
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                yield path.stem, panel, target["expr"]


async def test_web_and_worker_show_what_they_do(running: Instance) -> None:
    web, worker = await running.scrape("cmi-web"), await running.scrape("cmi-worker")
    for line in (
        'cmi_http_requests_total{method="GET",route="/api/v1/orders/{sp_id}",status="401"} 1.0',
        'cmi_http_requests_total{method="GET",route="none",status="404"} 1.0',
        'cmi_security_events_total{kind="log_in",outcome="failed"}',
        "cmi_http_requests_in_flight 0.0",
    ):
        assert line in web, line
    for line in (
        'cmi_mail_submission_seconds_count{outcome="sent"} 1.0',
        'cmi_records_lag_seconds_count{of="order"}',
        'cmi_claims_left_out_total{reason="unavailable"} 0.0',
    ):
        assert line in worker, line
    for text in (web, worker):
        assert 'cmi_orders_open{service="install-washing-machine",state="new"} 1.0' in text
        assert "cmi_figures_up 1.0" in text
        assert 'cmi_sql_statement_seconds_count{operation="select"}' in text
        for secret in ("Regula", "elektro", "SP-1", "example", "@"):
            assert secret not in text, secret
    for job in ("cmi-web-sdk", "cmi-worker-sdk"):
        assert "temporal_request_total" in await running.scrape(job)


async def test_metrics_are_not_where_the_pages_are(running: Instance) -> None:
    async with httpx.AsyncClient(base_url=running.url) as caller:
        assert (await caller.get("/metrics")).status_code == 404


async def test_every_panel_of_the_dashboards_has_an_answer(running: Instance) -> None:
    empty = []
    for dashboard, panel, expression in panels():
        found = await running.query(expression)
        if not found and "Empty " not in panel["description"]:
            empty.append((dashboard, panel["title"], expression))
    assert empty == []


async def test_dashboards_are_drawn_without_grafana(running: Instance, tmp_path: Path) -> None:
    arguments = [running.prometheus_url, str(tmp_path), "--minutes", "2"]
    assert await asyncio.to_thread(draw_dashboards.main, arguments) == 0
    drawn = sorted(tmp_path.glob("*.svg"))
    assert len(drawn) == len(DASHBOARDS)
    for path in drawn:
        ElementTree.parse(path)
        assert "<polyline" in path.read_text()


async def test_alerts_and_panels_name_metrics_that_exist(running: Instance) -> None:
    """A misspelt metric gives no answer, as one does of which there is nothing yet."""
    text = "".join([await running.scrape(job) for job in running.targets])
    declared = set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))
    # the SDK declares a counter when it counts first
    sometimes = {
        "temporal_request_failure_total",
        "temporal_long_request_failure_total",
        "temporal_workflow_task_execution_failed_total",
        "temporal_activity_execution_failed_total",
    }
    expressions = [rule["expr"] for rule in RULES] + [each[2] for each in panels()]
    for expression in expressions:
        for name in re.findall(r"\b(?:cmi|temporal)_[a-z_]+\b", expression):
            plain = re.sub(r"_(bucket|count|sum)$", "", name)
            assert {name, plain} & (declared | sometimes), name


async def test_no_alert_fires_while_all_is_well(running: Instance) -> None:
    assert await running.query('ALERTS{alertstate="firing"}') == []


async def test_traces_of_both_processes_and_logs_with_their_ids(running: Instance) -> None:
    async with httpx.AsyncClient(base_url=running.url) as caller:
        answer = await caller.get("/api/v1/orders/SP-1", headers={"X-Request-Id": "traced-1"})
    assert answer.status_code == 401
    name = "GET /api/v1/orders/{sp_id}"
    spans = running.collector.spans

    def has_come() -> bool:
        return any(span[::2] == ("cmi-web", name) for span in spans)

    await eventually(has_come)
    assert running.web is not None
    line = next(line for line in running.web.text.splitlines() if "traced-1" in line)
    trace_id = re.search(r"trace_id='(\w+)'", line)
    assert trace_id is not None
    await eventually(lambda: ("cmi-web", trace_id[1], name) in spans)
    # the order of the fixture was placed by a process without traces
    await eventually(lambda: ("cmi-worker", "submit mail") in {span[::2] for span in spans})
    assert not any("readyz" in span[2] for span in spans)


async def test_temporal_away_is_counted_as_the_alert_expects(running: Instance) -> None:
    """The last test, since it ends the server."""
    running.around.server.kill()
    away = re.compile(r"^temporal_request_failure_total{.*TRANSPORT_ERROR", re.MULTILINE)
    polls = re.compile(r"^temporal_long_request_failure_total{.*TRANSPORT_ERROR", re.MULTILINE)

    async def is_counted() -> bool:
        async with httpx.AsyncClient(base_url=running.url, timeout=30) as caller:
            assert (await caller.get("/readyz")).status_code == 503
        web, worker = [await running.scrape(f"cmi-{job}-sdk") for job in ("web", "worker")]
        return bool(away.search(web) and polls.search(worker))

    await eventually(is_counted)
