"""The workflow that throughput is measured with, here and on bare LangGraph: five nodes in a chain, one an echo llm."""

from __future__ import annotations

from typing import Any, Final

DEFINITION: Final[dict[str, Any]] = {
    "nodes": [
        {"id": "in", "type": "input", "config": {"defaults": {"language": "en"}}},
        {"id": "prepare", "type": "transform", "config": {"fields": {"text": "input.text", "n": "input.n + 1"}}},
        {"id": "ask", "type": "llm", "config": {"model": "echo:", "prompt": "Answer: {{nodes.prepare.text}}"}},
        {"id": "shape", "type": "transform", "config": {"fields": {"answer": "nodes.ask", "n": "nodes.prepare.n"}}},
        {"id": "out", "type": "output", "config": {"expression": "nodes.shape"}},
    ],
    "edges": [
        {"source": "in", "target": "prepare"},
        {"source": "prepare", "target": "ask"},
        {"source": "ask", "target": "shape"},
        {"source": "shape", "target": "out"},
    ],
}

#: What each node of a long chain answers, some hundred characters as a short answer of a model has.
ANSWER: Final = "Thank you for your ticket about {word}. Our on-call team answers within 15 minutes, day and night."


def given(index: int) -> dict[str, Any]:
    """Input of the execution with this number."""
    return {"text": f"ticket {index}: the printer is on fire", "n": index}


def expected(index: int) -> dict[str, Any]:
    """Output that belongs to it."""
    return {"answer": f"Answer: ticket {index}: the printer is on fire", "n": index + 1}
