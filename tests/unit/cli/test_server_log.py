"""The server's own log: its forms, what each line says, and its levels."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from execsvc.cli.server_log import ServerLog
from execsvc.config.log_levels import LogLevels, parse_log_levels
from execsvc.log_fields import add_fields, begin_request, fields, set_fields
from execsvc.secrets import REMEMBERED_VALUES

LOGGER = logging.getLogger("execsvc.test_server_log")


class Written:
    """What stands on stderr."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture
        self._text = ""

    def getvalue(self) -> str:
        """All of it so far."""
        self._text += self._capture.readouterr().err
        return self._text


@pytest.fixture
def stderr(capsys: pytest.CaptureFixture[str]) -> Iterator[Written]:
    """What is written; the process's logging is as before afterwards."""
    root, ours = logging.getLogger(), logging.getLogger("execsvc")
    before = (root.handlers[:], root.level, ours.level, threading.excepthook, sys.unraisablehook)
    with fields({}):
        yield Written(capsys)
    root.handlers[:], threading.excepthook, sys.unraisablehook = before[0], before[3], before[4]
    root.setLevel(before[1])
    ours.setLevel(before[2])
    for name in ("httpx", "execsvc.rpc"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    logging.captureWarnings(False)


def test_a_json_line_says_what_it_is_about(stderr: Written) -> None:
    ServerLog(LogLevels(), as_json=True)
    begin_request("req-1")
    add_fields(execution_id="e-1")

    LOGGER.warning("it %s", "happened", extra={"node_id": "ask"})

    line = json.loads(stderr.getvalue())
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "WARNING",
        "logger": "execsvc.test_server_log",
        "message": "it happened",
        "request_id": "req-1",
        "execution_id": "e-1",
        "node_id": "ask",
    }


def test_a_plain_line_stays_one_line_whatever_a_client_sends(stderr: Written) -> None:
    ServerLog(LogLevels(), as_json=False)
    set_fields(namespace="default", execution_id="e\n2026-01-01 ERROR forged", request_id="x" * 129)

    LOGGER.warning("refused: %s", "a\r\n2026-01-01 00:00:00,000 ERROR forged")

    assert stderr.getvalue().endswith(
        "WARNING execsvc.test_server_log: refused: a\\r\\n2026-01-01 00:00:00,000 ERROR forged [namespace=default]\n"
    )
    assert stderr.getvalue().count("\n") == 1


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "a\nb", "ä", b"bytes"])
def test_a_request_id_that_is_nothing_for_logs_is_replaced(given: Any) -> None:
    with fields({}):
        found = begin_request(given)

    assert found != given
    assert len(found) == 32


@pytest.mark.parametrize("as_json", [True, False])
def test_no_line_shows_a_secret_that_was_used_lately(stderr: Written, as_json: bool) -> None:
    ServerLog(LogLevels(), as_json=as_json)
    REMEMBERED_VALUES.add(['the "canary" 1'])

    try:
        raise RuntimeError('no: the "canary" 1')
    except RuntimeError:
        LOGGER.exception("with %s", {"key": 'the "canary" 1'})

    assert "canary" not in stderr.getvalue()
    # In the message, in the exception, and in the line of code that raised it.
    assert stderr.getvalue().count("[redacted]") == 3


def test_what_a_thread_leaves_unhandled_is_a_line_of_the_log(stderr: Written) -> None:
    ServerLog(LogLevels(), as_json=True)

    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()

    line = json.loads(stderr.getvalue())
    assert (line["level"], line["message"]) == ("ERROR", "a thread ended with an error")
    assert "ZeroDivisionError" in line["exception"]


def enabled() -> list[str]:
    """From which level on each logger writes."""
    loggers = map(logging.getLogger, ("execsvc.engine", "execsvc.rpc", "httpx"))
    return [logging.getLevelName(logger.getEffectiveLevel()) for logger in loggers]


def test_levels_are_those_of_parts_and_libraries_and_change_while_it_runs(stderr: Written) -> None:
    log = ServerLog(parse_log_levels("info httpx=debug"), as_json=True)
    assert enabled() == ["INFO", "INFO", "DEBUG"]
    log.use(parse_log_levels(["execsvc.rpc=error"]), as_json=True)
    assert enabled() == ["INFO", "ERROR", "WARNING"]
    log.say_more()
    assert enabled() == ["DEBUG", "ERROR", "WARNING"]
    log.say_as_set()
    assert enabled() == ["INFO", "ERROR", "WARNING"]
    log.use(parse_log_levels("error"), as_json=False)
    assert enabled() == ["ERROR", "ERROR", "ERROR"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("loud", "'loud' is neither"),
        ("httpx=loud", "'httpx=loud' is neither"),
        ("=debug", "'=debug' is neither"),
        ("a b=debug", "'a' is neither"),
        ("info debug", "'debug' is the second level for everything"),
        ("a=info,a=debug", "'a=debug' is the second level for a"),
    ],
)
def test_levels_that_make_no_sense_are_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_log_levels(text)
