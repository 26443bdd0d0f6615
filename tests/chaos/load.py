"""What keeps a server busy until it is killed: mixed workflows, and clients that pause, resume, stop and retry them."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import grpc

from execsvc.model import MOVES, ControlAction, ExecutionState
from execsvc_client import to_definition, v1
from tests.support.workflows import node, output, transform, workflow

#: Clients that submit at once, and clients that control.
SUBMITTERS: Final = 64
CONTROLLERS: Final = 4
#: Attempts a model call has.
ATTEMPTS: Final = 4
#: How often each action is tried.
ACTIONS: Final = {ControlAction.PAUSE: 35, ControlAction.RESUME: 35, ControlAction.STOP: 12, ControlAction.RETRY: 18}


def mixed_workflows(base_url: str) -> dict[str, v1.WorkflowDefinition]:
    """Definitions by kind. Every model call's prompt is ``execution id/node id``, so that calls can be counted."""

    def llm(name: str, directive: str = "", **settings: Any) -> dict[str, Any]:
        # A connection that dies with its server is nobody's failure.
        retry = {"max_attempts": ATTEMPTS, "initial_backoff": "0.02s", "max_backoff": "0.2s"}
        prompt = directive + "{{execution.id}}/" + name
        return node("llm", **{"model": "openai:ok", "base_url": base_url, "prompt": prompt, "retry": retry, **settings})

    five = [f"n{i}" for i in range(5)]
    six = [f"b{i}" for i in range(6)]
    chain = workflow(" > ".join([*five, "out"]), **{name: llm(name) for name in five}, out=output())
    fan = workflow(
        *(f"split > {name} > join" for name in six),
        "join > out",
        split=transform("input.n"),
        join=transform("[" + ", ".join(f"nodes.{name}" for name in six) + "]"),
        out=output(),
        **{name: llm(name) for name in six},
    )
    flaky = workflow(
        "a > b > c > out",
        a=llm("a", "@@429 times=1 after=0@@ "),
        b=llm("b", "@@500 times=2@@ "),
        c=llm("c", "@@404@@ ", on_error={"action": "continue", "fallback": "fell back"}),
        out=output(),
    )
    doomed = workflow(
        "a > bad > out", "a > slow > out", a=llm("a"), bad=llm("bad", "@@400@@ "), slow=llm("slow"), out=output("1")
    )
    branching = workflow(
        "a > check >true> yes > out",
        "check >false> no > out",
        a=llm("a"),
        check=node("condition", expression="input.n % 2 == 0"),
        yes=llm("yes"),
        no=llm("no"),
        out=output("[has(nodes.yes) ? nodes.yes : nodes.no]"),
    )
    shapes = {"chain": chain, "fan": fan, "flaky": flaky, "doomed": doomed, "branching": branching}
    return {kind: to_definition(shape) for kind, shape in shapes.items()}


def expected_output(execution_id: str) -> Any:
    """What an execution of ``mixed_workflows`` answers once it has completed."""
    kind, number = execution_id.split("-")
    match kind:
        case "chain":
            return f"{execution_id}/n4"
        case "fan":
            return [f"{execution_id}/b{i}" for i in range(6)]
        case "flaky":
            return "fell back"
        case "branching":
            return [f"{execution_id}/{'no' if int(number) % 2 else 'yes'}"]
    raise AssertionError(f"{execution_id} cannot complete")


@dataclass(slots=True)
class Ledger:
    """What clients were told, over all rounds."""

    #: Executions by id that a server has acknowledged.
    acknowledged: set[str] = field(default_factory=set)
    #: Executions that were asked for and not answered: they may be there or not.
    unanswered: set[str] = field(default_factory=set)
    #: The last answered action of an execution, unless a later one was not answered.
    settled: dict[str, ControlAction] = field(default_factory=dict)
    #: Executions with an action under way.
    busy: set[str] = field(default_factory=set)
    #: Answers by action and outcome.
    answers: Counter[str] = field(default_factory=Counter)
    #: Answers that no server should give.
    wrong: list[str] = field(default_factory=list)
    submitted: int = 0


class Load:
    """Clients of one server, until it dies."""

    def __init__(
        self, address: str, definitions: dict[str, v1.WorkflowDefinition], ledger: Ledger, rng: random.Random
    ) -> None:
        self._channel = grpc.aio.insecure_channel(address)
        self._stub = v1.ExecutionServiceStub(self._channel)
        self._definitions = definitions
        self._ledger = ledger
        self._rng = rng
        #: Executions to submit, first what was left unanswered.
        self._orders: asyncio.Queue[str] = asyncio.Queue()
        for execution_id in sorted(ledger.unanswered):
            self._orders.put_nowait(execution_id)

    def order(self, new: int) -> None:
        """Have so many executions submitted, less those that are still to be."""
        for _ in range(new - self._orders.qsize()):
            kind = self._rng.choice(list(self._definitions))
            self._orders.put_nowait(f"{kind}-{self._ledger.submitted}")
            self._ledger.submitted += 1

    async def run(self) -> None:
        """Submit what is ordered, and control at random, until cancelled."""
        clients = [self._submit() for _ in range(SUBMITTERS)] + [self._control() for _ in range(CONTROLLERS)]
        try:
            await asyncio.gather(*clients)
        finally:
            await self._channel.close()

    async def _submit(self) -> None:
        ledger = self._ledger
        while True:
            execution_id = await self._orders.get()
            kind, number = execution_id.split("-")
            request = v1.ExecuteRequest(execution_id=execution_id, workflow_id=kind, definition=self._definitions[kind])
            request.input["n"] = int(number)
            ledger.unanswered.add(execution_id)
            try:
                answer = await self._stub.Execute(request)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    ledger.wrong.append(f"Execute {execution_id}: {error.code()} {error.details()}")
                return
            if answer.status.execution_id != execution_id:
                ledger.wrong.append(f"Execute {execution_id} answered {answer.status.execution_id}")
            ledger.acknowledged.add(execution_id)
            ledger.unanswered.discard(execution_id)

    async def _control(self) -> None:
        ledger, rng = self._ledger, self._rng
        while True:
            # The pace of a client, not a wait for anything.
            await asyncio.sleep(rng.uniform(0.002, 0.03))
            free = sorted(ledger.acknowledged - ledger.busy)
            if not free:
                continue
            # Mostly the newest: the others have ended.
            execution_id = free[rng.randrange(len(free))] if rng.random() < 0.1 else rng.choice(self._recent(free))
            action = rng.choices(list(ACTIONS), list(ACTIONS.values()))[0]
            ledger.busy.add(execution_id)
            before = ledger.settled.pop(execution_id, None)
            outcome = await self._ask(execution_id, action)
            if outcome is None:
                # Never answered: whether it took effect is open.
                continue
            ledger.busy.discard(execution_id)
            ledger.answers[f"{action} {outcome}"] += 1
            if outcome == "done":
                ledger.settled[execution_id] = action
            elif before is not None:
                ledger.settled[execution_id] = before

    def _recent(self, free: list[str]) -> list[str]:
        return sorted(free, key=lambda execution_id: -int(execution_id.split("-")[1]))[:400]

    async def _ask(self, execution_id: str, action: ControlAction) -> str | None:
        request = v1.ControlRequest(execution_id=execution_id, reason="chaos")
        getattr(request, action).SetInParent()
        try:
            answer = await self._stub.Control(request)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.FAILED_PRECONDITION:
                return "refused"
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                self._ledger.wrong.append(f"{action} {execution_id}: {error.code()} {error.details()}")
            return None
        state = v1.ExecutionState.Name(answer.status.state).removeprefix("EXECUTION_STATE_")
        if state not in after(action):
            self._ledger.wrong.append(f"{action} {execution_id} answered {state}")
        return "done"


def after(action: ControlAction) -> set[str]:
    """States in which an execution may be right after an action."""
    match action:
        case ControlAction.PAUSE:
            return {ExecutionState.PAUSED}
        case ControlAction.STOP:
            return {ExecutionState.STOPPED}
        case ControlAction.RESUME:
            return {ExecutionState.PENDING, ExecutionState.RUNNING}
    return {ExecutionState.PENDING}


def reachable(action: ControlAction) -> set[str]:
    """States in which an execution may be found later, if no client has acted since."""
    found: set[ExecutionState] = set()
    waiting = [ExecutionState(state) for state in after(action)]
    while waiting:
        state = waiting.pop()
        if state in found:
            continue
        found.add(state)
        # Only a client leaves these.
        if state in (ExecutionState.PENDING, ExecutionState.RUNNING):
            waiting += MOVES[state] - {ExecutionState.PAUSED, ExecutionState.STOPPED}
    return set(found)
