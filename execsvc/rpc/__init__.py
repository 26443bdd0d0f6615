"""The gRPC server: one method an RPC, each of which converts, calls the service, and converts."""

from execsvc.rpc.credentials import server_credentials
from execsvc.rpc.server import RpcServer

__all__ = ["RpcServer", "server_credentials"]
