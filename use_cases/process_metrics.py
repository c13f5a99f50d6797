"""The metrics endpoint of a process: its own counts, the figures of operations, and its connection pool."""

import asyncio

from records.database import Database
from records.statement_times import measure_statements, pool_families
from settings import Settings
from telemetry.endpoint import Endpoint
from telemetry.figures import FigureCollector, StateCollector
from telemetry.tracing import tracer
from use_cases.operating_figures import OperatingMetrics


def metrics_endpoint(settings: Settings, database: Database) -> Endpoint:
    """The endpoint that the settings name, which listens within a `with` block. To be called in the event loop.

    Without an address nothing listens. With neither an address nor traces, statements are not measured.
    """
    if settings.metrics is not None or tracer() is not None:
        measure_statements()
    if settings.metrics is None:
        return Endpoint(None)
    operating = OperatingMetrics(database)

    return Endpoint(
        settings.metrics,
        FigureCollector(operating.read, asyncio.get_running_loop()),
        StateCollector(lambda: pool_families(database)),
    )
