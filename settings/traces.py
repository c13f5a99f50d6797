"""Whether traces are exported, by OpenTelemetry's standard variables. Its SDK reads the others itself."""

import os
from collections.abc import Mapping


def are_traces_exported(env: Mapping[str, str] = os.environ) -> bool:
    """Whether an address to export to is set, and exporting is not switched off."""
    if env.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if env.get("OTEL_TRACES_EXPORTER", "otlp").strip() != "otlp":
        return False
    return any(
        env.get(name, "").strip()
        for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    )
