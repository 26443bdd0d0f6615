"""What is waited for in a thread comes as it would have, errors included, and Ctrl-C reaches who waits."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from execsvc.cli.aside import each, result


def test_items_come_in_order_and_end() -> None:
    assert list(each(range(1000))) == list(range(1000))


def test_an_error_comes_after_what_was_before_it() -> None:
    def stream() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    got = []
    with pytest.raises(ValueError, match="broken"):
        got.extend(each(stream()))
    taken = each(stream())
    assert next(taken) == 1


def test_a_call_gives_its_result_or_its_error() -> None:
    def fails() -> None:
        raise LookupError("none")

    assert result(lambda: 3) == 3
    with pytest.raises(LookupError, match="none"):
        result(fails)


def test_ctrl_c_ends_the_wait_while_the_call_goes_on() -> None:
    begun, let_go = threading.Event(), threading.Event()
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)

    def call() -> None:
        begun.set()
        let_go.wait(60)

    def interrupt() -> None:
        begun.wait(60)
        # To the process: as a terminal does it, and the system hands it to the main thread.
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            result(call)
    finally:
        let_go.set()
        signal.signal(signal.SIGINT, previous)
