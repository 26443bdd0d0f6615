"""Collect everything that is wrong with a request, each with its path, in the order of the request."""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from execsvc.errors import FieldProblem, InvalidRequest

#: Problems of one request that come with what may have been meant; no answer shows as many.
HINTED = 100
#: Names among which one that is close is looked for; it takes about 1.5 µs for each.
_COMPARED = 500
#: Names listed in one message.
_LISTED = 20
_PLACE = re.compile(r"definition\.(nodes|edges)\[(\d+)\]")
_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")


class Problems:
    """A growing list of problems."""

    def __init__(self) -> None:
        self._found: list[FieldProblem] = []

    def __len__(self) -> int:
        return len(self._found)

    def add(self, path: str, reason: str, message: str) -> None:
        """Note a problem."""
        self._found.append(FieldProblem(path=path, reason=reason, message=message))

    def hint(self, name: str, known: Iterable[str]) -> str:
        """Give what ``did_you_mean`` does, but nothing once there are many problems: each takes a while."""
        return did_you_mean(name, known) if len(self._found) < HINTED else ""

    def reasons(self, start: int) -> set[str]:
        """Give the kinds of the problems found since there were ``start`` of them."""
        return {problem.reason for problem in self._found[start:]}

    def in_order(self) -> tuple[FieldProblem, ...]:
        """List them as the definition goes: what concerns all of it, nodes, edges."""
        return tuple(sorted(self._found, key=_place))

    def raise_if_any(self) -> None:
        """Raise InvalidRequest with all of them."""
        if self._found:
            raise InvalidRequest(self.in_order())


def _place(problem: FieldProblem) -> tuple[int, int]:
    found = _PLACE.match(problem.path)
    if found is None:
        return (0, 0)
    return (1 if found[1] == "nodes" else 2, int(found[2]))


def join(path: str, keys: Iterable[str | int]) -> str:
    """Append keys to a path: ``.name`` for names, ``[3]`` and ``["odd key"]`` for the rest."""
    for key in keys:
        if isinstance(key, int):
            path += f"[{key}]"
        elif _NAME.fullmatch(key):
            path += f".{key}"
        else:
            path += f'["{shorten(key)}"]'
    return path


def shorten(text: str, limit: int = 100) -> str:
    """Cut a text that a client sent before it is shown in a message."""
    text = text if len(text) <= limit else text[:limit] + "…"
    return text.encode("utf-8", "backslashreplace").decode()


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Give "; did you mean 'x'?" where something known is close, else nothing; nor where very much is known."""
    among = list(itertools.islice(known, _COMPARED + 1))
    if len(name) > 200 or len(among) > _COMPARED:
        return ""
    close = difflib.get_close_matches(name, among, n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def listed(names: Collection[str], write: Callable[[str], str] = str) -> str:
    """List names for a message: the first of them, and how many more there are."""
    shown = ", ".join(write(shorten(name)) for name in itertools.islice(names, _LISTED))
    return shown if len(names) <= _LISTED else f"{shown} and {len(names) - _LISTED} more"


def unknown_keys(item: Mapping[str, Any], known: tuple[str, ...], path: str, problems: Problems) -> None:
    """Note the keys of an object that are not known, each with what may have been meant."""
    for key in item:
        if key not in known:
            hint = problems.hint(key, known) or f"; known are {listed(known)}"
            problems.add(join(path, [key]), "UNKNOWN_FIELD", f"unknown field {shorten(key)!r}{hint}")
