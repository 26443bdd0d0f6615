"""The gRPC server: one method an RPC, each of which converts, calls the service, and converts."""

from execsvc.rpc.credentials import server_credentials
from execsvc.rpc.server import Guard, RpcServer

__all__ = ["Guard", "RpcServer", "server_credentials"]
