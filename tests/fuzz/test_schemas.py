"""A schema that makes much work keeps nobody waiting: where a check can take long, it runs beside the event loop."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from execsvc.definition import parse_definition
from execsvc.definition import schemas as schemas_module
from execsvc.engine.nodes import llm as llm_module
from execsvc.engine.nodes import schema_sample as sample_module
from execsvc.service import Limits
from execsvc.service.inputs import INLINE_WORK, check_whole_input
from tests.fuzz.conftest import Target
from tests.support.workflows import node, output, workflow

#: Each item is compared in a thousand ways.
MULTIPLYING: dict[str, Any] = {
    "type": "object",
    "properties": {"l": {"items": {"$ref": "#/$defs/a"}}},
    "$defs": {
        "a": {"anyOf": [{"$ref": "#/$defs/b"}] * 10},
        "b": {"anyOf": [{"$ref": "#/$defs/c"}] * 10},
        "c": {"anyOf": [{"type": "string"}] * 10},
    },
}


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Most steps that any check on the main thread was given."""
    given = [0]
    check = schemas_module.check

    def watched(*arguments: Any, work: int | None = None, **_: Any) -> None:
        if threading.current_thread() is threading.main_thread():
            given[0] = max(given[0], schemas_module.MAX_WORK if work is None else work)
        check(*arguments, work=work)

    for module in (llm_module, sample_module):
        monkeypatch.setattr(module, "check", watched)
    monkeypatch.setattr("execsvc.definition.inputs.check", watched)
    monkeypatch.setattr(schemas_module, "MAX_WORK", 50_000)
    return given


async def test_a_small_input_against_a_dear_schema_is_checked_beside_the_loop(inline: list[int]) -> None:
    plan = parse_definition(workflow("a > out", a=node("input", schema=MULTIPLYING), out=output("1")))
    _, problems = await check_whole_input(plan, {"l": list(range(200))}, Limits())
    (dear,) = [problem for problem in problems if problem.reason == "SCHEMA_TOO_EXPENSIVE"]
    # It was the second check, with all its steps, that gave up.
    assert str(schemas_module.MAX_WORK) in dear.message
    assert inline == [INLINE_WORK]


async def test_a_cheap_check_needs_no_thread(inline: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncio, "to_thread", None)
    plan = parse_definition(workflow("a > out", a=node("input", schema=MULTIPLYING), out=output("1")))
    _, problems = await check_whole_input(plan, {"l": ["a", "b"]}, Limits())
    assert not problems
    assert inline == [INLINE_WORK]


def test_an_answer_is_checked_against_its_schema_beside_the_loop(inline: list[int], target: Target) -> None:
    definition = workflow(
        "a > out", a=node("llm", model="echo:", prompt='{"l": [1, 2, 3]}', response_schema=MULTIPLYING), out=output()
    )

    async def run() -> None:
        status = await target.client.execute(definition)
        assert (await target.client.wait(status.execution_id)).state.terminal

    target.run(run())
    assert inline == [0]
