"""Metrics that are read from the database when Prometheus scrapes them, and kept for some seconds."""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

logger = logging.getLogger("cmi.metrics")

KEPT_SECONDS = 15.0
"""How long figures are reused before the database is asked again."""
_PATIENCE = 8.0  # Prometheus gives a scrape ten seconds


class Family(NamedTuple):
    """A metric with its samples: a number for each tuple with the values of `labels`."""

    name: str
    help: str
    labels: tuple[str, ...]
    samples: Mapping[Any, float]


class StateCollector(Collector):
    """Shows the metrics that `read` returns. It is called in the thread of the endpoint."""

    def __init__(self, read: Callable[[], Sequence[Family]]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        """The metrics now."""
        return [_shown(family) for family in self._read()]


class FigureCollector(Collector):
    """Shows the figures that `read` returns. It runs in `loop`.

    If `read` fails or takes longer than eight seconds, there are no figures, and `cmi_figures_up` is 0.
    """

    def __init__(
        self,
        read: Callable[[], Awaitable[Sequence[Family]]],
        loop: asyncio.AbstractEventLoop,
        kept_seconds: float = KEPT_SECONDS,
    ) -> None:
        self._read = read
        self._loop = loop
        self._kept_seconds = kept_seconds
        self._one_at_a_time = threading.Lock()
        self._families: Sequence[Family] = ()
        self._read_at = float("-inf")
        self._took = 0.0
        self._is_up = False

    def describe(self) -> Iterable[Metric]:
        """Nothing: the database is not to be asked when this is registered."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """The figures, called in the thread of the endpoint."""
        with self._one_at_a_time:
            if time.monotonic() - self._read_at > self._kept_seconds:
                self._refresh()
            families, is_up, took = self._families, self._is_up, self._took
        yield GaugeMetricFamily(
            "cmi_figures_up", "Whether the database answered with the figures.", float(is_up)
        )
        yield GaugeMetricFamily(
            "cmi_figures_read_seconds", "How long the database took for the figures.", took
        )
        for family in families:
            yield _shown(family)

    def _refresh(self) -> None:
        began = time.monotonic()
        job = asyncio.run_coroutine_threadsafe(self._within_time(), self._loop)
        try:
            self._families, self._is_up = job.result(_PATIENCE + 1), True
        except Exception as error:  # whatever it is, the other metrics are shown
            job.cancel()
            self._families, self._is_up = (), False
            logger.warning("the figures could not be read", extra={"cause": type(error).__name__})
        self._read_at = time.monotonic()
        self._took = self._read_at - began

    async def _within_time(self) -> Sequence[Family]:
        async with asyncio.timeout(_PATIENCE):
            return await self._read()


def _shown(family: Family) -> Metric:
    shown = GaugeMetricFamily(family.name, family.help, labels=family.labels)
    for values, number in sorted(family.samples.items()):
        shown.add_metric(values, number)
    return shown
