"""Checking definitions, saying what they may be made of, and storing them under names."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from execsvc.clock import Clock
from execsvc.definition import BUILTIN, NodeType, NodeTypes, Plan, Plans, load_plan, parse_definition
from execsvc.egress import Egress
from execsvc.errors import FieldProblem, InvalidRequest
from execsvc.model import SOMEBODY, Actor, StoredWorkflow
from execsvc.secrets import Secrets
from execsvc.service.checks import id_problems
from execsvc.service.commands import Definition, ExecuteCommand
from execsvc.service.paging import PageToken, page_size
from execsvc.service.stored import stored
from execsvc.store import PutWorkflow, Store, WorkflowPut


class Workflows:
    """Turns definitions into plans, and remembers them. Use within one event loop.

    Args:
        egress: holds definitions to the hosts that nodes may call; None: nothing does.
        secrets: those that definitions may name.
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
        secrets: Secrets | None = None,
    ) -> None:
        self._egress = egress
        self._secrets = secrets or Secrets()
        self._store = store
        self._audited = audited
        self._clock = clock
        self._types = types
        self._known = Plans()

    async def plan(self, definition: Definition) -> Plan:
        """Validate a definition.

        Raises:
            InvalidRequest: with every problem it has.
            TooLarge: it has too many bytes or nodes.
        """
        key = definition.key
        return self._known.get(key) or await self._known.compiled(key, len(key), partial(self._parse, definition))

    def _parse(self, definition: Definition) -> Plan:
        return parse_definition(definition.load(), types=self._types, egress=self._egress)

    async def load(self, digest: str, canonical: bytes) -> Plan:
        """Make the plan of a definition that was validated and stored."""
        key = digest.encode()
        compile = partial(load_plan, canonical, types=self._types)
        return self._known.get(key) or await self._known.compiled(key, len(canonical), compile)

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

    async def missing_secrets(self, namespace: str, plan: Plan) -> Sequence[FieldProblem]:
        """Say which secrets that a plan names are sure not to be there now."""
        return await self._secrets.problems(namespace, plan.secret_uses)

    async def validate(self, namespace: str, definition: Definition) -> tuple[str, Sequence[FieldProblem]]:
        """Answer the digest of a definition, or its problems.

        Args:
            namespace: whose secrets it may name.

        Raises:
            TooLarge: it has too many bytes or nodes.
        """
        try:
            plan = await self.plan(definition)
        except InvalidRequest as error:
            return "", error.problems
        problems = await self.missing_secrets(namespace, plan)
        return "" if problems else plan.digest, problems

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
