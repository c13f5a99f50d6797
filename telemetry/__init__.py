"""What processes tell about themselves while they run: metrics for Prometheus, traces for OpenTelemetry."""
