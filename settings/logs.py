"""Logging of CMI's processes to stderr: lines of text for people, or of JSON for log collectors.

Facts are passed as `extra={"sp_id": …}` and become fields. Nothing is filtered here: callers must not log personal
data.
"""

import json
import logging
from datetime import UTC, datetime

from settings import Settings

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

# The loggers of our workflows and activities; the other loggers of `temporalio` are the SDK's own.
_OWN = ("temporalio.workflow", "temporalio.activity")
_LIBRARIES = (
    "temporalio",
    "aiosqlite",
    "alembic",
    "asyncio",
    "fontTools",
    "httpcore",
    "httpx",
    "mail.log",
    "weasyprint",
)


def _extras(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


def _instant(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


class _TextFormatter(logging.Formatter):
    """`2026-11-02T08:00:00.000+00:00 INFO worker: up queues=['orders']`, with a traceback below."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{_instant(record)} {record.levelname:<7} {record.name}: {record.getMessage()}"
        line += "".join(f" {name}={value!r}" for name, value in _extras(record).items())
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        if record.stack_info:
            line += "\n" + self.formatStack(record.stack_info)
        return line


class _JsonFormatter(logging.Formatter):
    """One object per line: `at`, `level`, `logger`, `message`, the extras, and `exception` if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "at": _instant(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            entry["stack"] = self.formatStack(record.stack_info)
        for name, value in _extras(record).items():
            entry.setdefault(name, value)
        return json.dumps(entry, ensure_ascii=False, default=str)


def configure_logging(settings: Settings) -> None:
    """Log to stderr with the level and format of the settings.

    Libraries log from `warning` up; our workflows and activities log at the level that is set. A second call replaces
    the handler of the first one and leaves other handlers alone.
    """
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonFormatter() if settings.log_format == "json" else _TextFormatter())
    root = logging.getLogger()
    for former in list(root.handlers):
        if isinstance(former.formatter, _TextFormatter | _JsonFormatter):
            root.removeHandler(former)
    root.addHandler(handler)
    root.setLevel(level)
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    for name in _OWN:
        logging.getLogger(name).setLevel(level)
