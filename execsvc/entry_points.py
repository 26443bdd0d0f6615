"""Objects of installed packages, found by the entry point that names them."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

from execsvc.errors import PluginUnusable


def load_entry_point(group: str, name: str, *, kind: str) -> Any:
    """Load what an entry point names; what can be called is called without arguments, for what it answers.

    Args:
        kind: what it is to be, for people.

    Raises:
        PluginUnusable: it is not installed, or does not load.
    """
    installed = {point.name: point for point in entry_points(group=group)}
    if name not in installed:
        known = ", ".join(sorted(installed)) or "none"
        why = f"no installed package has it in the entry points {group!r}; there are: {known}"
        raise PluginUnusable(name, why, kind=kind)
    try:
        found = installed[name].load()
        return found() if callable(found) else found
    except Exception as error:
        raise PluginUnusable(name, f"it does not load: {type(error).__name__}: {error}", kind=kind) from error
