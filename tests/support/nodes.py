"""Node types that tests hold by the hand: ``gate`` waits until the test opens it; others misbehave as told."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from execsvc.definition import BUILTIN, Builder, NodeType, NodeTypes
from execsvc.engine import Executors, NodeContext, NodeError, NodeResult, builtin_executors
from execsvc.model import LogLevel


class Gates:
    """Opens and counts gates. A gate is named by its config; several nodes may share one."""

    def __init__(self) -> None:
        self._open: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._entered: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._left: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        #: How often each gate was entered, and left again by cancellation.
        self.entries: Counter[str] = Counter()
        self.cancelled: Counter[str] = Counter()
        #: Idempotency keys in the order attempts came.
        self.keys: list[str] = []

    def open(self, *names: str) -> None:
        """Let everyone through who waits at the gates or comes later."""
        for name in names:
            self._open[name].set()

    def close(self, *names: str) -> None:
        """Let nobody through who comes from now on."""
        for name in names:
            self._open[name].clear()

    def is_open(self, name: str) -> bool:
        """Whether a gate is open."""
        return self._open[name].is_set()

    async def entered(self, name: str) -> None:
        """Wait until a node waits at the gate, or has."""
        await self._entered[name].wait()

    async def left(self, name: str) -> None:
        """Wait until a node has come through the gate and has done all that it does."""
        await self._left[name].wait()

    async def passed(self, name: str) -> None:
        """Come to a gate, and wait for it to open; what a node does."""
        self.entries[name] += 1
        self._entered[name].set()
        try:
            await self._open[name].wait()
        except asyncio.CancelledError:
            self.cancelled[name] += 1
            raise


@dataclass(frozen=True, slots=True, kw_only=True)
class GateConfig:
    """Config of a gate."""

    gate: str
    #: Error type of the first so many attempts.
    fail_with: str = ""
    failures: int = 0
    retryable: bool = True
    #: Goes on waiting however often it is cancelled.
    stubborn: bool = False
    value: Any = None
    #: Logged before the gate, and after it.
    log: str = ""
    late_log: str = ""
    #: Of the ``chatter`` node: entries a round.
    burst: int = 1


class GateNode:
    """Waits at a gate, then answers its value, or fails."""

    effect: ClassVar[Literal[True]] = True

    def __init__(self, gates: Gates) -> None:
        self._gates = gates

    async def run(self, config: GateConfig, context: NodeContext) -> NodeResult:
        self._gates.keys.append(context.idempotency_key)
        if config.log:
            context.log(LogLevel.INFO, config.log, {})
        while True:
            try:
                await self._gates.passed(config.gate)
                break
            except asyncio.CancelledError:
                if not config.stubborn:
                    raise
        if config.late_log:
            context.log(LogLevel.INFO, config.late_log, {})
        self._gates._left[config.gate].set()
        if context.attempt <= config.failures:
            raise NodeError(config.fail_with, f"attempt {context.attempt} fails", retryable=config.retryable)
        return NodeResult(output=config.value if config.value is not None else context.node_id)


class BurnNode:
    """Counts up in a thread, holding the interpreter as much as pure Python can, until its gate opens."""

    effect: ClassVar[Literal[True]] = True

    def __init__(self, gates: Gates) -> None:
        self._gates = gates

    async def run(self, config: GateConfig, context: NodeContext) -> NodeResult:
        done = False

        def burn() -> int:
            count = 0
            while not done:
                count += 1
            return count

        thread = asyncio.create_task(asyncio.to_thread(burn))
        try:
            await self._gates.passed(config.gate)
        finally:
            done = True
            await thread
        return NodeResult(output=True)


class ChatterNode:
    """Logs without pause until its gate opens, then answers how many entries it wrote."""

    effect: ClassVar[Literal[True]] = True

    def __init__(self, gates: Gates) -> None:
        self._gates = gates

    async def run(self, config: GateConfig, context: NodeContext) -> NodeResult:
        passing = asyncio.create_task(self._gates.passed(config.gate))
        count = 0
        try:
            while not passing.done():
                for _ in range(config.burst):
                    count += 1
                    context.log(LogLevel.INFO, f"{config.log} {count}", {"count": count})
                # The pace of a busy node, not a wait for anything.
                await asyncio.sleep(0.005)
            await passing
        finally:
            passing.cancel()
        return NodeResult(output=count)


class OddNode:
    """Does what no node should: config ``how`` says what."""

    effect: ClassVar[Literal[True]] = True

    async def run(self, config: str, context: NodeContext) -> NodeResult:
        match config:
            case "exit":
                raise SystemExit(3)
            case "cancelled":
                raise asyncio.CancelledError
            case "crash":
                raise ValueError("hunter2")
            case "log object":
                context.log(LogLevel.INFO, "an object", {"object": object(), "fine": 1})
            case "log huge number":
                context.log(LogLevel.INFO, "a number", {"number": 2**70})
            case "log surrogate":
                context.log(LogLevel.INFO, "half \ud83d", {"text": "half \ud83d"})
            case "log nul":
                context.log(LogLevel.INFO, "a\0b", {"text": "a\0b"})
            case "fail surrogate":
                raise NodeError("HALF", "half \ud83d")
            case "log large facts":
                large = {f"large{i}": "x" * 60_000 for i in range(3)}
                context.log(LogLevel.INFO, "large facts", {"small": 1, **large, "last": [1, 2]})
            case "log long":
                context.log(LogLevel.INFO, "é" * 50_000, {})
            case "not json":
                return NodeResult(output=object())
            case "nan":
                return NodeResult(output={"a": [float("nan")]})
            case "too large":
                return NodeResult(output="x" * (4 * 1024 * 1024))
            case "deep":
                value: Any = "bottom"
                for _ in range(60):
                    value = {"in": value}
                return NodeResult(output=value)
        return NodeResult(output=config)


def _gate(config: Mapping[str, Any], builder: Builder) -> GateConfig:
    return GateConfig(**config)


def _odd(config: Mapping[str, Any], builder: Builder) -> str:
    return str(config["how"])


_GATE_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "gate": {"type": "string"},
        "fail_with": {"type": "string"},
        "failures": {"type": "integer"},
        "retryable": {"type": "boolean"},
        "stubborn": {"type": "boolean"},
        "value": {},
        "log": {"type": "string"},
        "late_log": {"type": "string"},
        "burst": {"type": "integer"},
    },
    "required": ["gate"],
    "additionalProperties": False,
}
_ODD_SCHEMA: Mapping[str, Any] = {"type": "object", "properties": {"how": {"type": "string"}}, "required": ["how"]}


def types_and_executors(gates: Gates) -> tuple[NodeTypes, Callable[[], Executors]]:
    """The built-in node types and those of this module, and what runs them."""
    custom: dict[str, Any] = {
        "gate": GateNode(gates),
        "burn": BurnNode(gates),
        "chatter": ChatterNode(gates),
        "odd": OddNode(),
    }
    types = BUILTIN.extended(
        NodeType(
            name=name,
            description="for tests",
            config_schema=_ODD_SCHEMA if name == "odd" else _GATE_SCHEMA,
            effect=True,
            compile=_odd if name == "odd" else _gate,
        )
        for name in custom
    )
    return types, lambda: {**builtin_executors(), **custom}
