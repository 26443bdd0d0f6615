"""The one table of who may call what: the least role of every method that is served."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from execsvc.model import Role

_READER, _OPERATOR, _ADMIN = Role.READER, Role.OPERATOR, Role.ADMIN

#: By service and method; None: anybody, without a credential.
RULES: Final[Mapping[str, Mapping[str, Role | None]]] = MappingProxyType(
    {
        "execsvc.v1.ExecutionService": {
            "Execute": _OPERATOR,
            "GetStatus": _READER,
            "GetExecution": _READER,
            "StreamLogs": _READER,
            "ListLogs": _READER,
            "Control": _OPERATOR,
            "WatchExecution": _READER,
            "ListExecutions": _READER,
            "DeleteExecution": _ADMIN,
        },
        "execsvc.v1.WorkflowService": {
            "ValidateWorkflow": _READER,
            "ListNodeTypes": _READER,
            "CreateWorkflow": _OPERATOR,
            "GetWorkflow": _READER,
            "ListWorkflows": _READER,
        },
        "execsvc.v1.ServerService": {"GetServerInfo": _READER},
        # Balancers and orchestrators ask without a credential, and learn nothing but whether it serves.
        "grpc.health.v1.Health": {"Check": None, "List": None, "Watch": None},
        "grpc.reflection.v1alpha.ServerReflection": {"ServerReflectionInfo": _READER},
        # Shows the addresses of all callers, whatever their namespace.
        "grpc.channelz.v1.Channelz": dict.fromkeys(
            (
                "GetTopChannels",
                "GetServers",
                "GetServer",
                "GetServerSockets",
                "GetChannel",
                "GetSubchannel",
                "GetSocket",
            ),
            _ADMIN,
        ),
    }
)
#: The same by path, as in ``/execsvc.v1.ServerService/GetServerInfo``.
BY_PATH: Final[Mapping[str, Role | None]] = MappingProxyType(
    {f"/{service}/{method}": role for service, methods in RULES.items() for method, role in methods.items()}
)


def least_role(path: str) -> Role | None:
    """Give the least role for a method; what has no rule is for administrators alone."""
    return BY_PATH.get(path, _ADMIN)
