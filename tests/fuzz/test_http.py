"""Whatever arrives at the gateway is answered as its OpenAPI document says: no 5xx, no other shape, no other type.

``EXECSVC_FUZZ=N`` makes N tries of each operation instead of a few.
"""

from __future__ import annotations

import contextlib
import json
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import positive_data_acceptance

from tests.e2e.conftest import ServeProcess, end

EXAMPLES: Final = int(os.environ.get("EXECSVC_FUZZ", "4"))
#: Seconds after which a call hangs; no execution of this server runs longer than five.
HANGS: Final = 60

FAILING: Final = {
    "nodes": [{"id": "a", "type": "transform", "config": {"expression": "[1][5]"}}, {"id": "out", "type": "output"}],
    "edges": [{"source": "a", "target": "out"}],
}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with an execution that has completed, and one that has failed."""
    folder: Path = tmp_path_factory.mktemp("http")
    server = ServeProcess(folder / "a.db", "--http", "127.0.0.1:0", "--grace", "0", "--max-timeout", "5s")
    address: str = server.ready["http"]
    try:
        for execution_id, definition in (
            ("done", {"nodes": [{"id": "out", "type": "output", "config": {"expression": "1"}}]}),
            ("failed", FAILING),
        ):
            execute(address, execution_id, definition)
        yield address
        code, logged = server.end()
        assert code == 0
        assert "Traceback" not in logged, logged
    finally:
        end(server.process)


def execute(address: str, execution_id: str, definition: Any) -> None:
    """Start an execution."""
    request = urllib.request.Request(
        f"http://{address}/api/v1/execute",
        data=json.dumps({"execution_id": execution_id, "definition": definition}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 202


@pytest.fixture(scope="module")
def document(address: str) -> Any:
    """What the server says of itself, read as a program would."""
    return schemathesis.openapi.from_url(f"http://{address}/openapi.json")


def known(case: Any) -> Any:
    """Name an execution that is there, where the call is about one: nobody guesses an id."""
    parameters = case.path_parameters
    if parameters and isinstance(parameters.get("execution_id"), str):
        place = len(parameters["execution_id"]) % 3
        if place < 2:
            parameters["execution_id"] = ("done", "failed")[place]
    return case


@pytest.mark.parametrize("mode", [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE])
def test_every_operation_keeps_to_the_document(document: Any, mode: schemathesis.GenerationMode) -> None:
    tried = 0
    for found in document.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
            database=None,
            # The same tries each time, unless more are asked for: a finding should not wait for the next change.
            derandomize="EXECSVC_FUZZ" not in os.environ,
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def keeps(case: Any) -> None:
            nonlocal tried
            tried += 1
            # What a definition may be only the server knows: that it looks right does not make it so.
            known(case).call_and_validate(timeout=HANGS, excluded_checks=[positive_data_acceptance])

        with contextlib.suppress(Unsatisfiable):
            # Some operations take nothing that could be wrong.
            keeps()
    assert tried > EXAMPLES * 4
