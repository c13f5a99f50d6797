"""The endpoint that Prometheus scrapes, and the endpoint of Temporal's SDK. Each has an address of its own."""

from types import TracebackType

from prometheus_client import start_http_server
from prometheus_client.registry import Collector
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig

from telemetry.metrics import REGISTRY


class NotListening(Exception):
    """The process cannot listen on an address for metrics; the text says which setting and why."""


class Endpoint:
    """Serves `GET /metrics` at this address, in its own threads, until the block ends. Without an address nowhere.

    `collectors` add to the metrics of the process.

    Raises:
        NotListening: another process listens there, or the address is not of this machine.
    """

    def __init__(self, address: tuple[str, int] | None, *collectors: Collector) -> None:
        self._address = address
        self._collectors = collectors

    def __enter__(self) -> "Endpoint":
        """Begin to listen."""
        if self._address is not None:
            host, port = self._address
            try:
                self._server, self._thread = start_http_server(port, host, REGISTRY)
            except OSError as error:
                raise NotListening(
                    f"CMI_METRICS_ADDRESS: cannot listen on {host}:{port}: {error.strerror}"
                ) from error
            for collector in self._collectors:
                REGISTRY.register(collector)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening, without waiting for a scrape that itself waits for this thread's event loop."""
        if self._address is not None:
            for collector in self._collectors:
                REGISTRY.unregister(collector)
            self._server.shutdown()
            self._server.socket.close()


def show_sdk_metrics(address: tuple[str, int] | None) -> None:
    """Have Temporal's SDK show its metrics at this address. To be called before the first client is made.

    Raises:
        NotListening: another process listens there, or the address is not of this machine.
    """
    if address is None:
        return
    host, port = address
    metrics = PrometheusConfig(
        bind_address=f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        counters_total_suffix=True,
        unit_suffix=True,
        durations_as_seconds=True,
    )
    try:
        runtime = Runtime(telemetry=TelemetryConfig(metrics=metrics))
    except (ValueError, RuntimeError) as error:
        raise NotListening(
            f"CMI_METRICS_TEMPORAL_ADDRESS: cannot listen on {host}:{port}: {error}"
        ) from error
    Runtime.set_default(runtime, error_if_already_set=False)
