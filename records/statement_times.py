"""Measures SQL statements and the connection pool for the metrics, by SQLAlchemy's events."""

import re
import time
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.pool import QueuePool

from records.database import Database
from telemetry.figures import Family
from telemetry.metrics import SQL_FAILURES, SQL_SECONDS
from telemetry.tracing import add_past_span

_OPERATIONS = frozenset({"select", "insert", "update", "delete", "pragma", "with"})
_BEGAN = "cmi_began"
_TABLE = re.compile(r"\b(?:FROM|INTO|UPDATE) (\w+)")


def measure_statements() -> None:
    """Measure all statements of all databases of this process from now on. A second call changes nothing."""
    if not event.contains(Engine, "before_cursor_execute", _begin):
        event.listen(Engine, "before_cursor_execute", _begin)
        event.listen(Engine, "after_cursor_execute", _end)
        event.listen(Engine, "handle_error", _fail)


def operation(statement: str) -> str:
    """The first word of a statement in lower case; `other` for words that we do not use often."""
    word = statement.lstrip()[:10].split(maxsplit=1)
    first = word[0].lower() if word else ""
    return first if first in _OPERATIONS else "other"


def _begin(
    _connection: Any, _cursor: Any, _statement: str, _given: Any, context: Any, _many: Any
) -> None:
    if context is not None:
        setattr(context, _BEGAN, time.perf_counter())


def _end(
    _connection: Any, _cursor: Any, statement: str, _given: Any, context: Any, _many: Any
) -> None:
    began = getattr(context, _BEGAN, None)
    if began is not None:
        seconds, word = time.perf_counter() - began, operation(statement)
        SQL_SECONDS.labels(word).observe(seconds)
        if (table := _TABLE.search(statement)) is not None:
            about = {"db.operation.name": word.upper(), "db.collection.name": table[1]}
            add_past_span(f"{word.upper()} {table[1]}", seconds, about)


def _fail(failure: ExceptionContext) -> None:
    SQL_FAILURES.labels(type(failure.original_exception).__name__).inc()


def pool_families(database: Database) -> tuple[Family, ...]:
    """How many connections of the pool are in use, and how many it may have at most. SQLite's threads are not in it."""
    pool = database.engine.pool
    if not isinstance(pool, QueuePool):
        return ()
    most = pool.size() + pool._max_overflow
    return (
        Family(
            "cmi_pool_connections_used",
            "Connections to the database that are in use.",
            (),
            {(): pool.checkedout()},
        ),
        Family(
            "cmi_pool_connections_most",
            "Connections to the database that there may be at most.",
            (),
            {(): most},
        ),
    )
