"""Servers that tests talk to, each a process of its own."""

from tests.servers.chat_server import ChatServer

__all__ = ["ChatServer"]
