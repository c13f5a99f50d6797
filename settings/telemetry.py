"""The settings about metrics; `Settings` has them beside its own. Traces have the standard variables `OTEL_…`."""

from pydantic import BaseModel, Field

from settings.fields import ListenAddress, parse_listen_address


class TelemetrySettings(BaseModel):
    """Where a process shows its metrics. By default nowhere."""

    metrics_address: ListenAddress | None = Field(
        None,
        description="where this process shows its metrics to Prometheus, port or host:port, without a host on this"
        " machine only; none: nowhere",
    )
    metrics_temporal_address: ListenAddress | None = Field(
        None,
        description="where Temporal's SDK in this process shows its own metrics, another port or host:port;"
        " none: nowhere",
    )

    @property
    def metrics(self) -> tuple[str, int] | None:
        """Host and port of `metrics_address`; None if there is none."""
        return parse_listen_address(self.metrics_address) if self.metrics_address else None

    @property
    def metrics_temporal(self) -> tuple[str, int] | None:
        """Host and port of `metrics_temporal_address`; None if there is none."""
        given = self.metrics_temporal_address
        return parse_listen_address(given) if given else None
