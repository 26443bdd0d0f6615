"""The use cases: what clients may ask for, free of any transport."""

from execsvc.service.changes import Changes, Token
from execsvc.service.commands import ControlCommand, Definition, ExecuteCommand, LogFilter
from execsvc.service.control import Control
from execsvc.service.elsewhere import Elsewhere
from execsvc.service.executions import Executions
from execsvc.service.history import History
from execsvc.service.identity import Identities
from execsvc.service.jwt_rules import JwtRules
from execsvc.service.limits import Limits
from execsvc.service.logs import LogPart, Logs
from execsvc.service.quotas import Quotas
from execsvc.service.services import Services
from execsvc.service.watch import Snapshot, Watcher
from execsvc.service.workflows import Workflows

__all__ = [
    "Changes",
    "Control",
    "ControlCommand",
    "Definition",
    "Elsewhere",
    "ExecuteCommand",
    "Executions",
    "History",
    "Identities",
    "JwtRules",
    "Limits",
    "LogFilter",
    "LogPart",
    "Logs",
    "Quotas",
    "Services",
    "Snapshot",
    "Token",
    "Watcher",
    "Workflows",
]
