"""Carry the steps of scenarios out, one scenario after another."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any

from clients.python.scenarios import documents
from clients.python.scenarios.clients import AnyClient
from clients.python.scenarios.operations import OPERATIONS, Problem, Progress, ask_lab
from clients.python.scenarios.patterns import Mismatch, match, show
from clients.python.scenarios.variables import Variables
from execsvc_client import TLS, ExecsvcError

#: Seconds a scenario may take.
LIMIT = 120.0
_BESIDE = frozenset({"as", "background", "client", "error", "expect", "parallel", "repeat"})


@dataclass
class _Background:
    """An operation that goes on while the steps do."""

    task: asyncio.Task[dict[str, Any]]
    progress: Progress


class Scenario:
    """One scenario on one kind of client."""

    def __init__(self, kind: str, lab: str, document: dict[str, Any], scenario: dict[str, Any]) -> None:
        self._kind = kind
        self._lab = lab
        self._definitions: dict[str, Any] = document["definitions"]
        self._steps: list[dict[str, Any]] = scenario["steps"]
        self._variables = Variables()
        self._clients = {"": AnyClient(kind, {"target": document["target"]})}
        self._backgrounds: dict[str, _Background] = {}
        self._index = 0

    async def run(self) -> dict[str, Any]:
        """Run it to its end or to its first problem; the line to print, without the name."""
        try:
            async with asyncio.timeout(LIMIT):
                for index, step in enumerate(self._steps):
                    self._index = index
                    await self._step(step)
        except TimeoutError:
            return self._failed(f"it took longer than {LIMIT:g} s")
        except (Problem, Mismatch) as problem:
            return self._failed(str(problem))
        except Exception as error:
            return self._failed(f"the runner failed: {type(error).__name__}: {error}")
        finally:
            await self._end()
        return {"ok": True}

    def _failed(self, problem: str) -> dict[str, Any]:
        return {"ok": False, "step": self._index, "problem": problem}

    async def _end(self) -> None:
        for background in self._backgrounds.values():
            background.task.cancel()
        for client in self._clients.values():
            await client.close()
        await asyncio.gather(*(one.task for one in self._backgrounds.values()), return_exceptions=True)

    async def _step(self, step: dict[str, Any]) -> None:
        (operation,) = step.keys() - _BESIDE
        if "background" in step:
            progress = Progress()
            arguments = self._variables.fill(step[operation])
            task = asyncio.create_task(self._operate(step, operation, arguments, progress))
            self._backgrounds[step["background"]] = _Background(task, progress)
            return
        try:
            result = await self._result(step, operation)
        except ExecsvcError as error:
            found = documents.error(error)
            if "error" not in step:
                raise Problem(f"{operation} failed: {show(found)}") from error
            match(self._variables.fill(step["error"]), found)
            return
        if "error" in step:
            raise Problem(f"expected an error like {show(step['error'])}, got {show(result)}")
        if "as" in step:
            self._variables.keep(step["as"], result)
        if "expect" in step:
            match(self._variables.fill(step["expect"]), result)

    async def _result(self, step: dict[str, Any], operation: str) -> Any:
        if "parallel" in step:
            return await self._parallel(step, operation)
        if "repeat" not in step:
            return await self._operate(step, operation, self._variables.fill(step[operation]), Progress())
        result: Any = {}
        for number in range(step["repeat"]):
            arguments = self._variables.numbered(number).fill(step[operation])
            result = await self._operate(step, operation, arguments, Progress())
        return result

    async def _parallel(self, step: dict[str, Any], operation: str) -> dict[str, Any]:
        outcomes = await asyncio.gather(
            *(
                self._operate(step, operation, self._variables.numbered(number).fill(step[operation]), Progress())
                for number in range(step["parallel"])
            ),
            return_exceptions=True,
        )
        result: dict[str, list[Any]] = {"results": [], "failures": []}
        for outcome in outcomes:
            if isinstance(outcome, ExecsvcError):
                result["failures"].append(documents.error(outcome))
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                result["results"].append(outcome)
        return result

    async def _operate(self, step: dict[str, Any], operation: str, arguments: Any, progress: Progress) -> Any:
        arguments = dict(arguments or {})
        match operation:
            case "lab":
                return await ask_lab(self._lab + arguments["path"], arguments.get("body") or {})
            case "connect":
                name, ca, server_name = (arguments.pop(key, None) for key in ("as", "ca", "server_name"))
                if ca is not None:
                    arguments["tls"] = TLS(ca=ca, server_name=server_name)
                self._clients[name] = AnyClient(self._kind, arguments)
                return {}
            case "until":
                return await self._until(**arguments)
            case "join":
                return await self._backgrounds[arguments["background"]].task
            case "cancel":
                return await self._cancel(arguments["background"])
        definition = arguments.get("definition")
        if isinstance(definition, str):
            arguments["definition"] = self._definitions.get(definition, definition)
        return await OPERATIONS[operation](self._clients[step.get("client", "")], arguments, progress)

    async def _until(self, background: str, entries: int) -> dict[str, Any]:
        running = self._backgrounds[background]
        while True:
            reading = running.progress.reading
            count = 0 if reading is None else reading.count
            if count >= entries:
                return {}
            running.progress.changed.clear()
            changed = asyncio.create_task(running.progress.changed.wait())
            await asyncio.wait({running.task, changed}, return_when=asyncio.FIRST_COMPLETED)
            ended = not changed.done()
            changed.cancel()
            if ended:
                raise Problem(f"{background} ended after {count} of {entries}: {running.task!r}")

    async def _cancel(self, background: str) -> dict[str, Any]:
        task = self._backgrounds[background].task
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, ExecsvcError):
            await task
        return {}
