"""A node type for servers that are processes: takes its time, and notes each attempt in a file that outlives them."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from execsvc.definition import Builder, NodeType
from execsvc.engine import NodeContext, NodePlugin, NodeResult

#: Names the file, in the environment of the servers.
VARIABLE = "EXECSVC_TEST_STEPS"


@dataclass(frozen=True, slots=True)
class StepConfig:
    """Config of a step."""

    seconds: float


class Step:
    """Notes that it runs, and waits."""

    effect: ClassVar[Literal[True]] = True

    def __init__(self) -> None:
        self._file = os.open(os.environ[VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def run(self, config: StepConfig, context: NodeContext) -> NodeResult:
        os.write(self._file, f"{context.execution_id}/{context.node_id}\n".encode())
        await asyncio.sleep(config.seconds)
        return NodeResult(output=context.node_id)


def _compile(config: Any, builder: Builder) -> StepConfig:
    return StepConfig(seconds=float(config["seconds"]))


step = NodePlugin(
    type=NodeType(
        name="step",
        description="Takes its time.",
        config_schema={
            "type": "object",
            "properties": {"seconds": {"type": "number"}},
            "required": ["seconds"],
            "additionalProperties": False,
        },
        effect=True,
        compile=_compile,
    ),
    executor=Step,
)


def install(directory: Path) -> dict[str, str]:
    """Make the type known to servers with ``--plugin step``; answers what their environment needs."""
    about = directory / "execsvc_steps-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: execsvc-steps\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[execsvc.nodes]\nstep = tests.support.step_node:step\n")
    root = Path(__file__).resolve().parents[2]
    paths = [str(directory), str(root), str(root / "clients" / "python" / "src")]
    return {"PYTHONPATH": os.pathsep.join(paths), VARIABLE: str(directory / "steps")}


def runs(directory: Path) -> Counter[str]:
    """How often each node has begun to run, by ``execution/node``."""
    path = directory / "steps"
    return Counter(path.read_text().splitlines()) if path.exists() else Counter()
