"""The metrics endpoint of a process: its own counts, figures of operations, its connection pool, and certificates."""

import asyncio

from records.database import Database
from records.statement_times import measure_statements, pool_families
from settings import Settings
from settings.certificates import Certificates
from telemetry.endpoint import Endpoint
from telemetry.figures import Family, FigureCollector, StateCollector
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
    operating, certificates = OperatingMetrics(database), Certificates()

    return Endpoint(
        settings.metrics,
        FigureCollector(operating.read, asyncio.get_running_loop()),
        StateCollector(lambda: (*pool_families(database), _ends(certificates))),
    )


def _ends(certificates: Certificates) -> Family:
    return Family(
        "cmi_certificate_end_timestamp_seconds",
        "Until when certificates towards Temporal and PostgreSQL are valid, as Unix time.",
        ("certificate",),
        {(name,): end.timestamp() for name, end in certificates.ends().items()},
    )
