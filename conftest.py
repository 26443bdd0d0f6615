"""How the tests are spread over processes, and what those heed."""

from __future__ import annotations

import os
import signal

import pytest


def pytest_configure() -> None:
    """Heed Ctrl-C and hang-ups: in the background they are ignored, and would be by the commands that tests start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_xdist_auto_num_workers() -> int:
    """Start two more processes than there are cores: much of what tests do is to wait for servers."""
    return (os.cpu_count() or 1) + 2


# Before xdist, which puts the groups it finds into the tests' ids.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the clients' tests, which take longest, and let one process have all those of a language.

    What is marked ``nightly`` waits for EXECSVC_NIGHTLY=1.
    """
    for item in items:
        if item.get_closest_marker("nightly") and not os.environ.get("EXECSVC_NIGHTLY"):
            item.add_marker(pytest.mark.skip(reason="takes long, and runs in make nightly"))
        language = getattr(getattr(item, "callspec", None), "params", {}).get("language")
        if language is not None:
            item.add_marker(pytest.mark.xdist_group(getattr(language, "name", str(language))))
    items.sort(key=lambda item: "/tests/sdk/" not in item.path.as_posix())
