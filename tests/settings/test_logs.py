"""Log lines: what a collector and a person get, and whom they hear."""

import json
import logging
from collections.abc import Iterator
from datetime import date, datetime

import pytest

from settings import Settings
from settings.logs import configure_logging


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    names = list(logging.Logger.manager.loggerDict)
    levels = {name: logging.getLogger(name).level for name in names}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in list(logging.Logger.manager.loggerDict):
        logging.getLogger(name).setLevel(levels.get(name, logging.NOTSET))


def test_json_is_one_object_a_line_with_the_extras(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings(log_format="json"))
    logging.getLogger("x").info(
        "sent to %s", "Zürich", extra={"sp_id": "SP-1", "due": date(2027, 1, 4), "level": 9}
    )
    entry = json.loads(capsys.readouterr().err)
    assert datetime.fromisoformat(entry.pop("at")).tzinfo is not None
    assert entry == {
        "level": "info",
        "logger": "x",
        "message": "sent to Zürich",
        "sp_id": "SP-1",
        "due": "2027-01-04",
    }


def test_json_keeps_a_traceback_in_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings(log_format="json"))
    try:
        raise RuntimeError("no\nway")
    except RuntimeError:
        logging.getLogger("x").exception("failed")
    (line,) = capsys.readouterr().err.splitlines()
    assert "RuntimeError: no\nway" in json.loads(line)["exception"]


def test_text_shows_the_extras_after_the_message(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings())
    logging.getLogger("x").warning("late", extra={"sp_id": "SP-1"})
    line = capsys.readouterr().err
    assert line.endswith(" WARNING x: late sp_id='SP-1'\n")


def test_libraries_are_quiet_and_workflows_and_activities_are_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging(Settings(log_level="debug"))
    logging.getLogger("temporalio.worker").info("sdk")
    logging.getLogger("httpx").info("request")
    logging.getLogger("temporalio.workflow").debug("ours one")
    logging.getLogger("temporalio.activity").debug("ours two")
    logging.getLogger("worker").debug("ours three")
    logging.getLogger("temporalio.worker").warning("sdk in trouble")
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[2] for line in lines] == [
        "ours one",
        "ours two",
        "ours three",
        "sdk in trouble",
    ]


def test_configuring_again_does_not_double_lines_nor_drop_foreign_handlers(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    configure_logging(Settings())
    configure_logging(Settings(log_format="json"))
    logging.getLogger("x").info("once")
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert caplog.messages == ["once"]
