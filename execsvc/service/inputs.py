"""Checks an execution's input: its size, that it is JSON, and the schemas of the input nodes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import orjson

from execsvc.definition import InputConfig, Plan, Problems, check_input, check_json
from execsvc.errors import FieldProblem, TooLarge
from execsvc.service.limits import Limits

#: Bytes of input from which it is checked beside the event loop.
LARGE: Final = 32 * 1024
#: Steps that the check against a schema may take on the event loop; one that takes more is made anew beside it.
INLINE_WORK: Final = 3_000


async def check_whole_input(
    plan: Plan | None, given: dict[str, Any], limits: Limits, *, path: str = "input"
) -> tuple[bytes, Sequence[FieldProblem]]:
    """Check an input against a plan; without one, only that it is JSON.

    Args:
        path: where it stands in the request.

    Returns:
        The input as JSON text with sorted keys, and what is wrong with it.

    Raises:
        TooLarge: it has too many bytes.
    """
    try:
        text = orjson.dumps(given, option=orjson.OPT_SORT_KEYS)
    except (TypeError, ValueError, RecursionError):
        # The check below says what is wrong, and where.
        text = b""
    if len(text) > limits.input_bytes:
        raise TooLarge(path=path, size=len(text), limit=limits.input_bytes)
    found: Sequence[FieldProblem] | None = None
    if len(text) <= LARGE:
        found = _problems(plan, given, INLINE_WORK)
    if found is None or any(problem.reason == "SCHEMA_TOO_EXPENSIVE" for problem in found):
        found = await asyncio.to_thread(_problems, plan, given, None)
    return text, [replace(problem, path=path + problem.path.removeprefix("input")) for problem in found]


def _problems(plan: Plan | None, given: dict[str, Any], work: int | None) -> Sequence[FieldProblem]:
    if plan is not None:
        for config in (node.config for node in plan.nodes if isinstance(node.config, InputConfig)):
            given, found = check_input(config, given, work=work)
            if found:
                return found
        if any(isinstance(node.config, InputConfig) for node in plan.nodes):
            return ()
    problems = Problems()
    check_json(given, "input", problems)
    return problems.in_order()
