"""Telemetry of the processes: metrics for Prometheus, traces for OpenTelemetry."""
