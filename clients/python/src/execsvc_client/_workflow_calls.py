"""The calls about workflows and the server as data; see ``_calls``."""

from __future__ import annotations

from execsvc_client import v1
from execsvc_client._calls import Call, Page, filled
from execsvc_client._definition import DefinitionLike, to_definition
from execsvc_client._models import NodeType, ServerInfo, Validation, Workflow
from execsvc_client._retry import Repeats
from execsvc_client._values import plain_time


def validate(definition: DefinitionLike) -> Call[Validation]:
    """Return the call that checks a definition."""
    return Call(
        service="WorkflowService",
        method="ValidateWorkflow",
        request=v1.ValidateWorkflowRequest(definition=to_definition(definition)),
        answer=Validation.from_proto,
    )


def create(workflow_id: str, definition: DefinitionLike) -> Call[Workflow]:
    """Return the call that stores a definition; a repeat answers the version there is."""
    request = v1.CreateWorkflowRequest(definition=to_definition(definition))
    return Call(
        service="WorkflowService",
        method="CreateWorkflow",
        request=filled(request, {"workflow_id": workflow_id}),
        answer=lambda response: Workflow.from_proto(response.workflow, created=response.created),
        repeats=Repeats.BY_CLIENT,
    )


def get(workflow_id: str, version: str) -> Call[Workflow]:
    """Return the call that asks for a version of a stored workflow."""
    return Call(
        service="WorkflowService",
        method="GetWorkflow",
        request=filled(v1.GetWorkflowRequest(), {"workflow_id": workflow_id, "version": version}),
        answer=lambda response: Workflow.from_proto(response.workflow),
    )


def list_page(workflow_id: str, *, page_size: int, page_token: str) -> Call[Page[Workflow]]:
    """Return the call that asks for one page of stored workflows."""
    fields = {"workflow_id": workflow_id, "page_size": page_size, "page_token": page_token}
    return Call(
        service="WorkflowService",
        method="ListWorkflows",
        request=filled(v1.ListWorkflowsRequest(), fields),
        answer=lambda response: Page(
            items=tuple(map(Workflow.from_proto, response.workflows)), next_token=response.next_page_token
        ),
    )


def node_types() -> Call[list[NodeType]]:
    """Return the call that asks for the node types."""
    return Call(
        service="WorkflowService",
        method="ListNodeTypes",
        request=v1.ListNodeTypesRequest(),
        answer=lambda response: list(map(NodeType.from_proto, response.node_types)),
    )


def server_info() -> Call[ServerInfo]:
    """Return the call that asks what the server is."""
    return Call(
        service="ServerService",
        method="GetServerInfo",
        request=v1.GetServerInfoRequest(),
        answer=lambda response: ServerInfo(
            version=response.version,
            start_time=plain_time(response, "start_time"),
            capabilities=tuple(response.capabilities),
            draining=response.draining,
            limits=response.limits,
            raw=response,
        ),
    )
