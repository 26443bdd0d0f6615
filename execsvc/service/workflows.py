"""Checking definitions, saying what they may be made of, and storing them under names."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from execsvc.clock import Clock
from execsvc.definition import BUILTIN, NodeType, NodeTypes, Plan, load_plan, parse_definition
from execsvc.egress import Egress
from execsvc.errors import FieldProblem, InvalidRequest
from execsvc.model import SOMEBODY, Actor, StoredWorkflow
from execsvc.service.checks import id_problems
from execsvc.service.commands import Definition, ExecuteCommand
from execsvc.service.paging import PageToken, page_size
from execsvc.service.stored import stored
from execsvc.store import PutWorkflow, Store, WorkflowPut

#: Definitions whose plans are kept, least recently used first out.
KNOWN: Final = 256
#: Bytes of a definition from which it is compiled beside the event loop.
LARGE: Final = 8 * 1024


class Workflows:
    """Turns definitions into plans, and remembers them. Use within one event loop.

    Args:
        egress: holds definitions to the hosts that nodes may call; None: nothing does.
        audited: whether the audit trail gains a record of each change.
    """

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        types: NodeTypes = BUILTIN,
        egress: Egress | None = None,
        audited: bool = False,
    ) -> None:
        self._egress = egress
        self._store = store
        self._audited = audited
        self._clock = clock
        self._types = types
        self._known: OrderedDict[bytes, Plan] = OrderedDict()

    async def plan(self, definition: Definition) -> Plan:
        """Validate a definition.

        Raises:
            InvalidRequest: with every problem it has.
            TooLarge: it has too many bytes or nodes.
        """
        plan = self._known.get(definition.key)
        if plan is not None:
            self._known.move_to_end(definition.key)
            return plan
        if len(definition.key) > LARGE:
            plan = await asyncio.to_thread(self._parse, definition)
        else:
            plan = self._parse(definition)
        return self._remember(definition.key, plan)

    def _parse(self, definition: Definition) -> Plan:
        return parse_definition(definition.load(), types=self._types, egress=self._egress)

    async def load(self, digest: str, canonical: bytes) -> Plan:
        """Make the plan of a definition that was validated and stored."""
        plan = self._known.get(digest.encode())
        if plan is not None:
            return plan
        plan = await asyncio.to_thread(load_plan, canonical, types=self._types)
        return self._remember(digest.encode(), plan)

    def _remember(self, key: bytes, plan: Plan) -> Plan:
        self._known[key] = plan
        if len(self._known) > KNOWN:
            self._known.popitem(last=False)
        return plan

    async def plan_of(self, namespace: str, command: ExecuteCommand) -> Plan:
        """Answer the plan a command is to run: of its own definition, or of the workflow it names.

        Raises:
            InvalidRequest, TooLarge: as ``plan``; also where it names neither, or both.
            WorkflowNotFound: the workflow, or this version of it, is not stored.
        """
        if command.definition is not None:
            if command.workflow_version:
                message = "cannot be combined with definition; leave one of them out"
                raise InvalidRequest([FieldProblem(path="workflow_version", reason="CONFLICT", message=message)])
            return await self.plan(command.definition)
        if not command.workflow_id:
            message = "is required: a workflow with at least one output node, or the workflow_id of a stored one"
            raise InvalidRequest([FieldProblem(path="definition", reason="REQUIRED", message=message)])
        problems = [
            *id_problems("workflow_id", command.workflow_id),
            *id_problems("workflow_version", command.workflow_version),
        ]
        if problems:
            raise InvalidRequest(problems)
        stored = await self._store.workflow(namespace, command.workflow_id, command.workflow_version)
        return await self.load(stored.version, stored.definition or b"")

    async def validate(self, definition: Definition) -> tuple[str, Sequence[FieldProblem]]:
        """Answer the digest of a definition, or its problems.

        Raises:
            TooLarge: it has too many bytes or nodes.
        """
        try:
            return (await self.plan(definition)).digest, ()
        except InvalidRequest as error:
            return "", error.problems

    def node_types(self) -> Sequence[NodeType]:
        """Answer the node types, by name."""
        return sorted(self._types.values(), key=lambda node_type: node_type.name)

    async def create(
        self, namespace: str, workflow_id: str, definition: Definition, *, by: Actor = SOMEBODY
    ) -> WorkflowPut:
        """Store a definition as a version of a workflow; answers once it is on disk.

        Args:
            by: who asks, for the audit trail.

        Raises:
            InvalidRequest, TooLarge: see ``plan``.
        """
        problems = list(id_problems("workflow_id", workflow_id, required=True))
        plan: Plan | None = None
        try:
            plan = await self.plan(definition)
        except InvalidRequest as error:
            problems.extend(error.problems)
        if problems or plan is None:
            raise InvalidRequest(problems)
        change = PutWorkflow(
            namespace=namespace,
            workflow_id=workflow_id,
            version=plan.digest,
            definition=plan.canonical,
            time=self._clock(),
            by=by if self._audited else None,
        )
        return await stored(self._store.put_workflow(change))

    async def get(self, namespace: str, workflow_id: str, version: str) -> StoredWorkflow:
        """Answer a version of a workflow, the newest if none is named. Raises InvalidRequest, WorkflowNotFound."""
        problems = [
            *id_problems("workflow_id", workflow_id, required=True),
            *id_problems("version", version),
        ]
        if problems:
            raise InvalidRequest(problems)
        return await self._store.workflow(namespace, workflow_id, version)

    async def page(
        self, namespace: str, *, workflow_id: str, size: int, token: str
    ) -> tuple[Sequence[StoredWorkflow], str]:
        """Answer one page, newest first, and the token of the next; an empty token says that there is none.

        Raises:
            InvalidRequest: also for a token that was made with other arguments.
        """
        problems = list(id_problems("workflow_id", workflow_id))
        if problems:
            raise InvalidRequest(problems)
        limit = page_size(size, default=50)
        tokens = PageToken("workflows", workflow_id)
        position = tokens.read(token, (int, str))
        after = None if position is None else (position[0], position[1])
        found = await self._store.list_workflows(namespace, workflow_id=workflow_id, after=after, limit=limit + 1)
        page = found[:limit]
        if len(found) <= limit:
            return page, ""
        last = page[-1]
        return page, tokens.make(last.create_time, last.version if workflow_id else last.workflow_id)
