"""Traces through Temporal: of a call of the API, its update, what the workflow starts because of it, and activities."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import temporalio.worker
from opentelemetry.context import attach, detach
from opentelemetry.trace import SpanKind
from temporalio.api.common.v1 import Payload
from temporalio.contrib.opentelemetry import TracingInterceptor, TracingWorkflowInboundInterceptor


class TraceInterceptor(TracingInterceptor):
    """The SDK's, but for what a message causes: it belongs to the trace of its sender.

    With the SDK's own it would belong to the trace of the call that started the workflow, months ago.
    """

    def workflow_interceptor_class(
        self, input: temporalio.worker.WorkflowInterceptorClassInput
    ) -> type[TracingWorkflowInboundInterceptor]:
        """The interceptor of workflows."""
        super().workflow_interceptor_class(input)
        return _WorkflowInterceptor


class _WorkflowInterceptor(TracingWorkflowInboundInterceptor):
    """Within a workflow. Spans are made only while history is not replayed, and no command depends on them."""

    async def handle_update_handler(self, input: temporalio.worker.HandleUpdateInput) -> Any:
        """An accepted update."""
        with self._as_sent(f"HandleUpdate:{input.update}", input.headers) as is_traced:
            if is_traced:
                return await self.next.handle_update_handler(input)
        return await super().handle_update_handler(input)

    async def handle_signal(self, input: temporalio.worker.HandleSignalInput) -> None:
        """A signal."""
        with self._as_sent(f"HandleSignal:{input.signal}", input.headers) as is_traced:
            if is_traced:
                await self.next.handle_signal(input)
                return
        await super().handle_signal(input)

    @contextmanager
    def _as_sent(self, name: str, headers: Mapping[str, Payload]) -> Iterator[bool]:
        """Within the trace of the sender. False if it sent none."""
        header = headers.get(self.header_key)
        if header is None:
            yield False
            return
        carrier = self.payload_converter.from_payloads([header])[0]
        context = self._set_on_context(self.text_map_propagator.extract(carrier))
        token = attach(context)
        try:
            self._completed_span(name, kind=SpanKind.SERVER)
            yield True
        finally:
            detach(token)
