"""The client for asyncio: workflows, node types and the server itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

from execsvc_client import _workflow_calls
from execsvc_client._async_caller import AsyncCaller
from execsvc_client._definition import DefinitionLike
from execsvc_client._models import NodeType, ServerInfo, Validation, Workflow


class AsyncWorkflows(AsyncCaller):
    """Calls that are about no execution."""

    async def validate(self, definition: DefinitionLike) -> Validation:
        """Check a definition; the answer has every problem, each with its path, and is ``valid`` if there is none.

        Raises:
            DefinitionError: the definition cannot even be sent.
        """
        return await self._run(await self._made(partial(_workflow_calls.validate, definition), definition))

    async def create_workflow(self, workflow_id: str, definition: DefinitionLike) -> Workflow:
        """Store a definition as the newest version of a workflow; ``execute`` runs it by ``workflow_id``.

        The version is the content's hash: storing the same definition again answers the version there is, with
        ``created`` False.

        Raises:
            DefinitionError: the definition cannot be read; nothing was sent.
            InvalidArgument: with every problem in ``field_violations``.
        """
        make = partial(_workflow_calls.create, workflow_id, definition)
        return await self._run(await self._made(make, definition))

    async def get_workflow(self, workflow_id: str, version: str = "") -> Workflow:
        """Return a version of a stored workflow with its definition; the newest where none is named.

        Raises:
            NotFound: there is no such workflow, or not in this version.
        """
        return await self._run(_workflow_calls.get(workflow_id, version))

    async def list_workflows(self, workflow_id: str = "", *, page_size: int = 100) -> AsyncIterator[Workflow]:
        """Yield the stored workflows, each in its newest version, or all versions of one; newest first.

        Args:
            workflow_id: list the versions of this one.
            page_size: how many to fetch at once, up to 1,000.
        """
        page = partial(_workflow_calls.list_page, workflow_id, page_size=page_size)
        async for workflow in self._paged(lambda token: page(page_token=token)):
            yield workflow

    async def node_types(self) -> list[NodeType]:
        """Return the node types that the server runs, with the JSON Schema of each config."""
        return await self._run(_workflow_calls.node_types())

    async def server_info(self) -> ServerInfo:
        """Return the server's version, limits and capabilities."""
        return await self._run(_workflow_calls.server_info())
