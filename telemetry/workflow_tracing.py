"""Traces through Temporal: from a call of the API to its update, and on to the activities that it causes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import temporalio.worker
from opentelemetry.context import attach, detach
from opentelemetry.trace import SpanKind
from temporalio.api.common.v1 import Payload
from temporalio.contrib.opentelemetry import TracingInterceptor, TracingWorkflowInboundInterceptor


class TraceInterceptor(TracingInterceptor):
    """The SDK's interceptor, except that the effects of a message belong to the trace of its sender.

    With the SDK's own they would belong to the trace of the call that started the workflow, months ago.
    """

    def workflow_interceptor_class(
        self, input: temporalio.worker.WorkflowInterceptorClassInput
    ) -> type[TracingWorkflowInboundInterceptor]:
        """Implements `TracingInterceptor.workflow_interceptor_class`."""
        super().workflow_interceptor_class(input)
        return _WorkflowInterceptor


class _WorkflowInterceptor(TracingWorkflowInboundInterceptor):
    """The interceptor of a workflow. It makes no spans during a replay, and no command depends on them."""

    async def handle_update_handler(self, input: temporalio.worker.HandleUpdateInput) -> Any:
        """Handle an accepted update within its sender's trace."""
        with self._as_sent(f"HandleUpdate:{input.update}", input.headers) as is_traced:
            if is_traced:
                return await self.next.handle_update_handler(input)
        return await super().handle_update_handler(input)

    async def handle_signal(self, input: temporalio.worker.HandleSignalInput) -> None:
        """Handle a signal within its sender's trace."""
        with self._as_sent(f"HandleSignal:{input.signal}", input.headers) as is_traced:
            if is_traced:
                await self.next.handle_signal(input)
                return
        await super().handle_signal(input)

    @contextmanager
    def _as_sent(self, name: str, headers: Mapping[str, Payload]) -> Iterator[bool]:
        """A block within the trace of the sender. False if the sender sent none."""
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
