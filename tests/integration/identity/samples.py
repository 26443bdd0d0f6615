"""A request for every RPC that is served, and the code that each caller must be answered with."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import grpc
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_channelz.v1 import channelz_pb2
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from execsvc.model import Role
from execsvc.rpc.roles import RULES
from execsvc_client import to_definition, v1
from tests.support.workflows import ECHO

OK, MISSING, TOO_LOW = grpc.StatusCode.OK, grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED
NOT_FOUND, NOT_NOW = grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sample:
    """A request about the execution ``e``, which runs, or the workflow ``w``, both of the default namespace."""

    request: Message
    #: What those are answered who may ask.
    code: grpc.StatusCode = OK
    #: What those of another namespace are answered.
    elsewhere: grpc.StatusCode = OK


DEFINITION = to_definition(ECHO)
#: By method. None of them changes what the others see.
SAMPLES: dict[str, Sample] = {
    "Execute": Sample(request=v1.ExecuteRequest(definition=DEFINITION, validate_only=True)),
    "GetStatus": Sample(request=v1.GetStatusRequest(execution_id="e"), elsewhere=NOT_FOUND),
    "GetExecution": Sample(request=v1.GetExecutionRequest(execution_id="e"), elsewhere=NOT_FOUND),
    "StreamLogs": Sample(request=v1.StreamLogsRequest(execution_id="e"), elsewhere=NOT_FOUND),
    "ListLogs": Sample(request=v1.ListLogsRequest(execution_id="e"), elsewhere=NOT_FOUND),
    "Control": Sample(
        request=v1.ControlRequest(execution_id="e", resume=v1.ResumeAction()), code=NOT_NOW, elsewhere=NOT_FOUND
    ),
    "WatchExecution": Sample(request=v1.WatchExecutionRequest(execution_id="e"), elsewhere=NOT_FOUND),
    "ListExecutions": Sample(request=v1.ListExecutionsRequest()),
    "DeleteExecution": Sample(request=v1.DeleteExecutionRequest(execution_id="e"), code=NOT_NOW, elsewhere=NOT_FOUND),
    "ValidateWorkflow": Sample(request=v1.ValidateWorkflowRequest(definition=DEFINITION)),
    "ListNodeTypes": Sample(request=v1.ListNodeTypesRequest()),
    "CreateWorkflow": Sample(request=v1.CreateWorkflowRequest(workflow_id="mine", definition=DEFINITION)),
    "GetWorkflow": Sample(request=v1.GetWorkflowRequest(workflow_id="w"), elsewhere=NOT_FOUND),
    "ListWorkflows": Sample(request=v1.ListWorkflowsRequest()),
    "GetServerInfo": Sample(request=v1.GetServerInfoRequest()),
    "Check": Sample(request=health_pb2.HealthCheckRequest()),
    "Watch": Sample(request=health_pb2.HealthCheckRequest()),
    "ServerReflectionInfo": Sample(request=reflection_pb2.ServerReflectionRequest(list_services="")),
    # Past all there are: what gRPC says of this process's own channels is not always what its messages know.
    "GetTopChannels": Sample(request=channelz_pb2.GetTopChannelsRequest(start_channel_id=2**62)),
    "GetServers": Sample(request=channelz_pb2.GetServersRequest()),
    "GetServer": Sample(request=channelz_pb2.GetServerRequest(server_id=0), code=NOT_FOUND, elsewhere=NOT_FOUND),
    "GetServerSockets": Sample(
        request=channelz_pb2.GetServerSocketsRequest(server_id=0), code=NOT_FOUND, elsewhere=NOT_FOUND
    ),
    "GetChannel": Sample(request=channelz_pb2.GetChannelRequest(channel_id=0), code=NOT_FOUND, elsewhere=NOT_FOUND),
    "GetSubchannel": Sample(
        request=channelz_pb2.GetSubchannelRequest(subchannel_id=0), code=NOT_FOUND, elsewhere=NOT_FOUND
    ),
    "GetSocket": Sample(request=channelz_pb2.GetSocketRequest(socket_id=0), code=NOT_FOUND, elsewhere=NOT_FOUND),
}
if hasattr(health_pb2, "HealthListRequest"):
    # Later versions of the package have it.
    SAMPLES["List"] = Sample(request=health_pb2.HealthListRequest())
#: The services that have rules.
SERVED = sorted(RULES)


async def call(
    channel: grpc.aio.Channel, service: str, method: Any, request: Message, metadata: Sequence[tuple[str, str]]
) -> tuple[grpc.StatusCode, Any]:
    """Make a call; its code, and the answer (of a stream the first) or the error."""
    # The one message of a stream goes out with the call: grpc.aio tells a call that is refused before its message was
    # sent as its own INTERNAL error.
    make = (channel.unary_stream if method.server_streaming else channel.unary_unary)(
        f"/{service}/{method.name}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=GetMessageClass(method.output_type).FromString,
    )
    made = make(request, metadata=metadata, timeout=30)
    try:
        if not method.server_streaming:
            return OK, await made
        answer = await made.read()
        if answer is grpc.aio.EOF:
            return await made.code(), None
        made.cancel()
        return OK, answer
    except grpc.aio.AioRpcError as error:
        return error.code(), error


def expected(rule: Role | None, sample: Sample, role: Role | None, *, elsewhere: bool) -> grpc.StatusCode:
    """The code that a call must have.

    Args:
        rule: what the method takes; None: nothing.
        role: the caller's; None: nobody that is known.
        elsewhere: whether they are of another namespace.
    """
    if rule is None:
        return sample.code
    if role is None:
        return MISSING
    if not role.allows(rule):
        return TOO_LOW
    return sample.elsewhere if elsewhere else sample.code
