"""Traces for OpenTelemetry: spans of this process, without texts that may hold personal data.

Off until `start_tracing` is called, which processes do if `OTEL_EXPORTER_OTLP_ENDPOINT` is set.
"""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

__all__ = [
    "Span",
    "SpanKind",
    "TraceIdFilter",
    "add_past_span",
    "span",
    "start_tracing",
    "stop_tracing",
    "tracer",
]

_NAME = "cmi"
_provider: "TracerProvider | None" = None


def start_tracing(service: str, exporter: "SpanExporter | None" = None) -> None:
    """Export the spans of this process from now on. `OTEL_SERVICE_NAME` replaces the name of the service.

    Without an exporter they go to the address of the standard variables. With one (in tests), each span at once.
    """
    global _provider
    # Imported here, so that processes without traces do not load it.
    from telemetry.exporting import new_provider

    _provider = new_provider(service, exporter)


def stop_tracing() -> None:
    """Export the remaining spans, and make no more."""
    global _provider
    if _provider is not None:
        _provider.shutdown()
        _provider = None


def tracer() -> Tracer | None:
    """The tracer; None while tracing is off."""
    return None if _provider is None else _provider.get_tracer(_NAME)


@contextmanager
def span(
    name: str,
    attributes: Mapping[str, str | int] | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
) -> Iterator[Span]:
    """A span around a block, a child of the current one. Without traces it records nothing.

    An error that leaves the block is noted by its type only.
    """
    making = tracer()
    if making is None:
        yield trace.INVALID_SPAN
        return
    with making.start_as_current_span(
        name,
        attributes=attributes,
        kind=kind,
        record_exception=False,
        set_status_on_exception=False,
    ) as made:
        try:
            yield made
        except Exception as error:
            made.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise


def add_past_span(name: str, seconds: float, attributes: Mapping[str, str]) -> None:
    """Add a span that took this long and ends now, if the current span is recorded."""
    making = tracer()
    if making is not None and trace.get_current_span().is_recording():
        end = time.time_ns()
        begin = end - int(seconds * 1e9)
        made = making.start_span(
            name, attributes=attributes, kind=SpanKind.CLIENT, start_time=begin
        )
        made.end(end)


class TraceIdFilter(logging.Filter):
    """Adds the ids of the current trace and span to each log record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always True."""
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            record.trace_id = trace.format_trace_id(context.trace_id)
            record.span_id = trace.format_span_id(context.span_id)
        return True
