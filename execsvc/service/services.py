"""All the use cases of one server, as one value to hand on."""

from __future__ import annotations

from dataclasses import dataclass

from execsvc.service.control import Control
from execsvc.service.executions import Executions
from execsvc.service.history import History
from execsvc.service.logs import Logs
from execsvc.service.watch import Watcher
from execsvc.service.workflows import Workflows


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What a transport offers to clients."""

    executions: Executions
    control: Control
    logs: Logs
    watcher: Watcher
    history: History
    workflows: Workflows
