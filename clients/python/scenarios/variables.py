"""Put variables into the texts of steps."""

from __future__ import annotations

import re
import uuid
from typing import Any

_PLACE = re.compile(r"\$\{([^}]+)\}")


class Variables:
    """What a scenario knows: results kept under names, and texts of its own."""

    def __init__(self, known: dict[str, Any] | None = None) -> None:
        self._known: dict[str, Any] = known if known is not None else {"scope": _unique()}

    def keep(self, name: str, value: Any) -> None:
        """Keep a result."""
        self._known[name] = value

    def numbered(self, number: int) -> Variables:
        """Return the same with ``i`` as well."""
        return Variables({**self._known, "i": number})

    def fill(self, value: Any) -> Any:
        """Return a value with all its places filled in.

        Raises:
            KeyError: there is no such variable.
        """
        if isinstance(value, str):
            whole = _PLACE.fullmatch(value)
            return self._look_up(whole[1]) if whole else _PLACE.sub(lambda place: _text(self._look_up(place[1])), value)
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        if isinstance(value, dict):
            if value.keys() == {"$int"}:
                return int(value["$int"])
            return {key: self.fill(item) for key, item in value.items()}
        return value

    def _look_up(self, path: str) -> Any:
        if path == "new":
            return _unique()
        value: Any = self._known
        for part in path.split("."):
            value = value[int(part)] if isinstance(value, list) else value[part]
        return value


def _unique() -> str:
    return f"py-{uuid.uuid4().hex[:16]}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)
