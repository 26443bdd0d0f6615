"""Write workflow definitions in few words."""

from __future__ import annotations

from typing import Any


def node(type: str, **config: Any) -> dict[str, Any]:
    """A node; ``retry``, ``timeout`` and ``on_error`` go to the node, everything else to its config."""
    settings = {key: config.pop(key) for key in ("retry", "timeout", "on_error", "name") if key in config}
    return {"type": type, "config": config, **settings}


def gate(name: str, **config: Any) -> dict[str, Any]:
    """A node that waits at a gate."""
    return node("gate", gate=name, **config)


def transform(expression: str, **settings: Any) -> dict[str, Any]:
    """A node that computes a value."""
    return node("transform", expression=expression, **settings)


def output(expression: str = "") -> dict[str, Any]:
    """An output node."""
    return node("output", expression=expression) if expression else node("output")


def workflow(*paths: str, **nodes: dict[str, Any]) -> dict[str, Any]:
    """A definition out of nodes by id and paths such as ``"start > check >true> yes > out"``."""
    edges: list[dict[str, str]] = []
    for path in paths:
        parts = path.split()
        for source, arrow, target in zip(parts[::2], parts[1::2], parts[2::2], strict=False):
            branch = arrow.strip(">")
            edges.append({"source": source, "target": target} | ({"branch": branch} if branch else {}))
    return {"nodes": [{"id": name, **body} for name, body in nodes.items()], "edges": edges}


def chain(*names: str, **config: Any) -> dict[str, Any]:
    """Gates one after another, each with the name of its node, then an output."""
    return workflow(" > ".join([*names, "out"]), **{name: gate(name, **config) for name in names}, out=output())


#: Answers its input.
ECHO = workflow("start > out", start=node("input"), out=output("input"))
