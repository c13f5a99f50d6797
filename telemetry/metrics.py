"""The metrics of a process. They are always counted, and shown only at CMI_METRICS_ADDRESS.

No label holds a person, a partner, an order or anything else that grows with the business: routes are templates.
"""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

disable_created_metrics()  # type: ignore[no-untyped-call]  # they would double the series, and no panel asks when a counter began
REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

HTTP_SECONDS = Histogram(
    "cmi_http_request_seconds",
    "How long requests took until the last byte of the answer, by route.",
    ("method", "route"),
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=REGISTRY,
)
HTTP_REQUESTS = Counter(
    "cmi_http_requests",
    "Requests that were answered, by route and status; status 0: the caller went away.",
    ("method", "route", "status"),
    registry=REGISTRY,
)
HTTP_IN_FLIGHT = Gauge(
    "cmi_http_requests_in_flight", "Requests that are being handled.", registry=REGISTRY
)
SQL_SECONDS = Histogram(
    "cmi_sql_statement_seconds",
    "How long the database took for a statement, by its first word.",
    ("operation",),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
    registry=REGISTRY,
)
SQL_FAILURES = Counter(
    "cmi_sql_failures",
    "Statements that failed, by the type of the failure.",
    ("error",),
    registry=REGISTRY,
)
MAIL_SECONDS = Histogram(
    "cmi_mail_submission_seconds",
    "How long the mail server took for a mail, by what became of it.",
    ("outcome",),
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=REGISTRY,
)
RECORDS_LAG = Histogram(
    "cmi_records_lag_seconds",
    "From an event of an order or settlement to its row in the records, by what was written.",
    ("of",),
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800),
    registry=REGISTRY,
)
for _outcome in ("sent", "refused", "unavailable"):
    MAIL_SECONDS.labels(_outcome)
CLAIMS_LEFT_OUT = Counter(
    "cmi_claims_left_out",
    "Orders that were picked for a settlement and could not be billed, by reason.",
    ("reason",),
    registry=REGISTRY,
)
RECONCILED_AT = Gauge(
    "cmi_reconciler_pass_timestamp_seconds",
    "When this process last ended a pass of the reconciler; 0: it has ended none.",
    registry=REGISTRY,
)
SECURITY_EVENTS = Counter(
    "cmi_security_events",
    "Security events, by kind and outcome.",
    ("kind", "outcome"),
    registry=REGISTRY,
)
