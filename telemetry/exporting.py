"""Exports spans, without texts that may hold personal data."""

import os
from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    SimpleSpanProcessor,
    SpanExporter,
    SpanExportResult,
)
from opentelemetry.trace import Status

_TEXTS = ("exception.message", "exception.stacktrace")


def new_provider(service: str, exporter: SpanExporter | None) -> TracerProvider:
    """The provider that makes and exports spans, as `start_tracing` describes."""
    given = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": service}
    provider = TracerProvider(resource=Resource.create(given))
    if exporter is None:
        provider.add_span_processor(BatchSpanProcessor(WithoutTexts(OTLPSpanExporter())))
    else:
        provider.add_span_processor(SimpleSpanProcessor(WithoutTexts(exporter)))
    return provider


class WithoutTexts(SpanExporter):
    """Exports spans without the messages of errors, which may repeat somebody's input. The types of errors are kept."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export them."""
        return self._exporter.export([_without_texts(each) for each in spans])

    def shutdown(self) -> None:
        """Export no more."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Export what waits."""
        return self._exporter.force_flush(timeout_millis)


def _without_texts(span: ReadableSpan) -> ReadableSpan:
    why = span.status.description
    events = [
        Event(
            event.name,
            {name: value for name, value in (event.attributes or {}).items() if name not in _TEXTS},
            event.timestamp,
        )
        for event in span.events
    ]
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=span.attributes,
        events=events,
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code, why.partition(":")[0] if why else None),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
