"""One method an RPC: convert, call the service, convert. Errors are the interceptor's."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any, Protocol, TypeVar

from execsvc import __version__
from execsvc.model import StoredWorkflow
from execsvc.redaction import Redaction
from execsvc.rpc.beside import Beside, size_of
from execsvc.rpc.callers import actor
from execsvc.rpc.gate import admitted, caller
from execsvc.service import Executions, Limits, Services, Snapshot, Workflows
from execsvc.wire import requests, responses
from execsvc_client import v1

logger = logging.getLogger(__name__)


class ExecutionServicer(v1.ExecutionServiceServicer):
    """Serves ``execsvc.v1.ExecutionService``."""

    def __init__(self, services: Services, redaction: Redaction, beside: Beside) -> None:
        self._redaction = redaction
        self._beside = beside
        self._executions = services.executions
        self._control = services.control
        self._logs = services.logs
        self._watcher = services.watcher
        self._history = services.history

    async def Execute(self, request: v1.ExecuteRequest, context: Any) -> v1.ExecuteResponse:
        """See the proto."""
        by = actor(context)
        command = await self._beside.converted(request.ByteSize(), requests.execute_command, request)
        status = await self._executions.execute(caller().namespace, command, by=by)
        return v1.ExecuteResponse(status=None if status is None else responses.status_message(status))

    async def GetStatus(self, request: v1.GetStatusRequest, context: Any) -> v1.GetStatusResponse:
        """See the proto."""
        status = await self._executions.status(caller().namespace, request.execution_id)
        return v1.GetStatusResponse(status=responses.status_message(status))

    async def GetExecution(self, request: v1.GetExecutionRequest, context: Any) -> Any:
        """See the proto. Answers the response's bytes."""
        full = requests.wants_full(request)
        execution = await self._executions.get(caller().namespace, request.execution_id, full=full)
        return await self._beside.converted(
            size_of(execution), responses.execution_response, execution, self._redaction, full=full
        )

    def StreamLogs(self, request: v1.StreamLogsRequest, context: Any) -> Any:
        """See the proto, and ``_answered`` for what is awaited."""
        parts = self._logs.stream(
            caller().namespace,
            request.execution_id,
            after=request.after_sequence,
            tail=request.tail,
            filter=requests.log_filter(request),
            follow=request.follow,
            expected_uid=request.uid,
        )
        return _answered(parts, responses.log_response, context)

    async def ListLogs(self, request: v1.ListLogsRequest, context: Any) -> v1.ListLogsResponse:
        """See the proto."""
        entries, token = await self._logs.page(
            caller().namespace,
            request.execution_id,
            filter=requests.log_filter(request),
            size=request.page_size,
            token=request.page_token,
        )
        return responses.log_page(entries, token)

    async def Control(self, request: v1.ControlRequest, context: Any) -> v1.ControlResponse:
        """See the proto."""
        by = actor(context, request.request_id)
        command = await self._beside.converted(request.ByteSize(), requests.control_command, request)
        status = await self._control(caller().namespace, command, by=by)
        return v1.ControlResponse(status=responses.status_message(status))

    def WatchExecution(self, request: v1.WatchExecutionRequest, context: Any) -> Any:
        """See the proto, and ``_answered`` for what is awaited."""
        messages = responses.WatchMessages()

        async def response(snapshot: Snapshot) -> bytes:
            # The first has all nodes.
            size = 0 if snapshot.execution is None else len(snapshot.execution.definition)
            message = await self._beside.converted(size, messages.response, snapshot)
            return message.SerializeToString()

        snapshots = self._watcher.stream(caller().namespace, request.execution_id, tokens=request.include_tokens)
        return _answered(snapshots, response, context)

    async def ListExecutions(self, request: v1.ListExecutionsRequest, context: Any) -> v1.ListExecutionsResponse:
        """See the proto."""
        executions, token = await self._history.page(
            caller().namespace,
            filter=request.filter,
            order_by=request.order_by,
            size=request.page_size,
            token=request.page_token,
        )
        return responses.execution_list(executions, token)

    async def DeleteExecution(self, request: v1.DeleteExecutionRequest, context: Any) -> v1.DeleteExecutionResponse:
        """See the proto."""
        namespace, by = caller().namespace, actor(context)
        await self._history.delete(namespace, request.execution_id, by=by)
        if by.name:
            # Its own log is gone with it.
            logger.info("execution %s of namespace %s deleted by %s", request.execution_id, namespace, by.shown)
        return v1.DeleteExecutionResponse()


class _Item(Protocol):
    @property
    def last(self) -> bool: ...


_T = TypeVar("_T", bound=_Item)


async def _answered(
    items: AsyncGenerator[_T, None], response: Callable[[_T], bytes | Awaitable[bytes]], context: Any
) -> bytes:
    """Answer a stream, for as long as the call's credential is valid.

    All responses but the last are written, and that one is returned: gRPC sends it together with the status, in one
    operation instead of two.
    """
    # A stream that is given up must let go at once, not when it is collected.
    async with aclosing(admitted(items)) as following:
        async for item in following:
            made, last = response(item), item.last
            data = made if isinstance(made, bytes) else await made
            # While the client does not read, the response is all that is kept.
            del item, made
            if last:
                return data
            await context.write(data)
    raise AssertionError("a stream ended without its last response")


class WorkflowServicer(v1.WorkflowServiceServicer):
    """Serves ``execsvc.v1.WorkflowService``."""

    def __init__(self, workflows: Workflows, beside: Beside) -> None:
        self._workflows = workflows
        self._beside = beside

    async def ValidateWorkflow(self, request: v1.ValidateWorkflowRequest, context: Any) -> v1.ValidateWorkflowResponse:
        """See the proto."""
        found = await self._workflows.validate(caller().namespace, requests.definition_of(request))
        return responses.validation_message(*found)

    async def ListNodeTypes(self, request: v1.ListNodeTypesRequest, context: Any) -> v1.ListNodeTypesResponse:
        """See the proto."""
        return responses.node_types_message(self._workflows.node_types())

    async def CreateWorkflow(self, request: v1.CreateWorkflowRequest, context: Any) -> v1.CreateWorkflowResponse:
        """See the proto."""
        definition, by = requests.definition_of(request), actor(context)
        put = await self._workflows.create(caller().namespace, request.workflow_id, definition, by=by)
        return v1.CreateWorkflowResponse(workflow=await self._message(put.workflow), created=put.created)

    async def GetWorkflow(self, request: v1.GetWorkflowRequest, context: Any) -> v1.GetWorkflowResponse:
        """See the proto."""
        workflow = await self._workflows.get(caller().namespace, request.workflow_id, request.version)
        return v1.GetWorkflowResponse(workflow=await self._message(workflow))

    async def ListWorkflows(self, request: v1.ListWorkflowsRequest, context: Any) -> v1.ListWorkflowsResponse:
        """See the proto."""
        workflows, token = await self._workflows.page(
            caller().namespace, workflow_id=request.workflow_id, size=request.page_size, token=request.page_token
        )
        found = [responses.workflow_message(workflow) for workflow in workflows]
        return v1.ListWorkflowsResponse(workflows=found, next_page_token=token)

    async def _message(self, workflow: StoredWorkflow) -> v1.Workflow:
        return await self._beside.converted(len(workflow.definition or b""), responses.workflow_message, workflow)


class ServerServicer(v1.ServerServiceServicer):
    """Serves ``execsvc.v1.ServerService``."""

    def __init__(self, executions: Executions, *, limits: Limits, start_time: int, capabilities: Sequence[str]) -> None:
        self._executions = executions
        self._limits = limits
        self._start_time = start_time
        self._capabilities = tuple(sorted(capabilities))

    async def GetServerInfo(self, request: v1.GetServerInfoRequest, context: Any) -> v1.GetServerInfoResponse:
        """See the proto."""
        return responses.server_info(
            version=__version__,
            start_time=self._start_time,
            limits=self._limits,
            capabilities=self._capabilities,
            draining=self._executions.draining,
        )
