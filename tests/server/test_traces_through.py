"""One call of the API is one trace: the request, its update, the workflow, activities, mail and SQL. No names in it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from contracts import names
from records.statement_times import measure_statements
from telemetry.tracing import start_tracing, stop_tracing, tracer
from telemetry.workflow_tracing import TraceInterceptor
from temporal.connection import connect, data_converter
from tests.server.surroundings import eventually, surroundings
from tests.support.builders import placement
from tests.web.site import Site, site
from tests.workflows.test_replay import NAMES, history
from workflows.monthly_billing import MonthlyBilling
from workflows.service_order import ServiceOrder
from workflows.settlement import SettlementWorkflow

CALL = "POST /api/v1/orders/{sp_id}/decline"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """The spans that are exported."""
    exporter = InMemorySpanExporter()
    start_tracing("cmi-test", exporter)
    yield exporter
    stop_tracing()


@pytest.fixture
async def traced(
    spans: InMemorySpanExporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Site]:
    """The application with a worker, both with traces."""
    measure_statements()
    async with surroundings(tmp_path, shared=True) as around:
        monkeypatch.setenv("TEMPORAL_ADDRESS", around.address)
        monkeypatch.setenv("TEMPORAL_NAMESPACE", around.namespace)
        around.client = await connect(around.settings, around.database)
        async with around.worker(), site(around) as running:
            yield running


def of_call(spans: InMemorySpanExporter, call: str) -> list[ReadableSpan]:
    """The spans of the trace of a call, once it has ended; the call first."""
    ended = spans.get_finished_spans()
    root = next((span for span in ended if span.name == call), None)
    if root is None:
        return []
    trace = [span for span in ended if span.context.trace_id == root.context.trace_id]
    return sorted(trace, key=lambda span: span is not root)


async def test_from_the_request_to_mail_and_sql(traced: Site, spans: InMemorySpanExporter) -> None:
    sp_id = await traced.new(partner_id="elektro-huber")
    request_id = {"X-Request-Id": "a-request.1"}
    await traced.do(traced.partner, sp_id, "decline", {"reason": "no_capacity"}, **request_id)

    def has_all() -> list[ReadableSpan]:
        found = of_call(spans, CALL)
        wanted = {"submit mail", "RunActivity:save_order", "RunActivity:send_mail"}
        return found if wanted <= {span.name for span in found} else []

    await eventually(has_all)
    trace = of_call(spans, CALL)
    root, shown = trace[0], {span.name for span in trace}
    assert {
        "StartWorkflowUpdate:decline",
        "HandleUpdate:decline",
        "StartActivity:save_order",
        "StartActivity:send_mail",
        "INSERT mails",
        "UPDATE mails",
    } <= shown, shown
    assert root.parent is None
    ids = {span.context.span_id for span in trace}
    assert all(span.parent.span_id in ids for span in trace[1:] if span.parent)
    assert root.attributes is not None
    assert root.attributes["cmi.request_id"] == "a-request.1"
    assert root.attributes["cmi.sp_id"] == sp_id
    handled = next(span for span in trace if span.name == "HandleUpdate:decline")
    assert (handled.attributes or {})["temporalWorkflowID"] == names.order_id(sp_id)

    customer = placement().customer
    text = "".join(span.to_json() for span in spans.get_finished_spans())
    for personal in (customer.name, customer.email, customer.phone, customer.street, "@"):
        assert personal not in text, personal

    # The history with the headers replays with traces and without, and a replay exports nothing.
    stored = await traced.around.client.get_workflow_handle(names.order_id(sp_id)).fetch_history()
    spans.clear()
    await _replay(stored, is_traced=True)
    await _replay(stored, is_traced=False)
    assert spans.get_finished_spans() == ()


async def test_kept_histories_replay_with_traces(spans: InMemorySpanExporter) -> None:
    """Outside the sandbox: with traces the order above replays in it, without them every kept history."""
    await _replay(*map(history, NAMES), is_traced=True, runner=UnsandboxedWorkflowRunner())
    assert spans.get_finished_spans() == ()


async def _replay(
    *stored: WorkflowHistory, is_traced: bool, runner: WorkflowRunner | None = None
) -> None:
    making = tracer()
    assert making is not None

    async def all_of_them() -> AsyncIterator[WorkflowHistory]:
        for each in stored:
            yield each

    await Replayer(
        workflows=[ServiceOrder, SettlementWorkflow, MonthlyBilling],
        workflow_runner=runner or SandboxedWorkflowRunner(),
        data_converter=data_converter(),
        interceptors=[TraceInterceptor(making)] if is_traced else [],
    ).replay_workflows(all_of_them())
