"""One log entry as one line for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from execsvc.cli.text import clock_time, printable

if TYPE_CHECKING:
    from rich.text import Text

    from execsvc_client import LogEntry

_STYLES = {"DEBUG": "dim", "INFO": "", "WARNING": "yellow", "ERROR": "bold red"}


def plain_line(entry: LogEntry) -> str:
    """Write an entry without colours."""
    return f"{clock_time(entry.time)} {entry.level:<7} {_node(entry)}{printable(entry.message)}"


def styled_line(entry: LogEntry) -> Text:
    """Write an entry with colours; nothing in it is taken for markup."""
    from rich.text import Text

    style = _STYLES.get(str(entry.level), "")
    return Text.assemble(
        (clock_time(entry.time), "dim"),
        (f" {entry.level:<7} ", style),
        (_node(entry), "cyan"),
        (printable(entry.message), style),
    )


def _node(entry: LogEntry) -> str:
    # What the engine says of a node begins with the node's name already.
    if not entry.node_id or entry.message.startswith(f"{entry.node_id}: "):
        return ""
    return f"{printable(entry.node_id)}: " if not entry.metadata.get("event") else f"{printable(entry.node_id)} "
