"""Hands waiting executions to the engine, as slots allow."""

from execsvc.queue.distributed import DistributedQueue
from execsvc.queue.embedded import EmbeddedQueue
from execsvc.queue.port import Queue
from execsvc.queue.waiting import KeyLimits

__all__ = ["DistributedQueue", "EmbeddedQueue", "KeyLimits", "Queue"]
