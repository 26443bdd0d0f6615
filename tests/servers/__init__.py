"""Servers that tests talk to, each a process of its own."""

from tests.servers.chat_server import ChatServer
from tests.servers.otlp import OtlpCollector, ReceivedSpan

__all__ = ["ChatServer", "OtlpCollector", "ReceivedSpan"]
