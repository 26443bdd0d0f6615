"""Hands waiting executions to the engine, as slots allow."""

from execsvc.queue.embedded import EmbeddedQueue
from execsvc.queue.waiting import KeyLimits

__all__ = ["EmbeddedQueue", "KeyLimits"]
