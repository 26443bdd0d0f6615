"""Find the line and column of a JSON document at which the value of a path stands."""

from __future__ import annotations

import json
import re

_STEP = re.compile(r'\.?([^.\[\]"]+)|\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]')
_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


def position_of(text: str, path: str) -> tuple[int, int] | None:
    """Give line and column, from 1, of the deepest value that a path such as ``nodes[3].config`` leads to.

    Args:
        text: a JSON document that parses.
        path: relative to the document; empty means all of it.
    """
    place = _skip(text, 0)
    for name, index, quoted in _STEP.findall(path):
        found = _element(text, place, int(index)) if index else _member(text, place, quoted or name)
        if found is None:
            break
        place = found
    if place >= len(text):
        return None
    before = text[:place]
    return before.count("\n") + 1, place - (before.rfind("\n") + 1) + 1


def _skip(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    return found.end() if found else place


def _after(text: str, place: int) -> int:
    return _skip(text, _DECODER.raw_decode(text, place)[1])


def _element(text: str, place: int, index: int) -> int | None:
    if text[place] != "[":
        return None
    place = _skip(text, place + 1)
    while text[place] != "]":
        if index == 0:
            return place
        index -= 1
        place = _after(text, place)
        if text[place] == ",":
            place = _skip(text, place + 1)
    return None


def _member(text: str, place: int, name: str) -> int | None:
    if text[place] != "{":
        return None
    # Editors' exports say data where the path says config.
    names = (name, "data") if name == "config" else (name,)
    found: dict[str, int] = {}
    place = _skip(text, place + 1)
    while text[place] != "}":
        key, end = _DECODER.raw_decode(text, place)
        place = _skip(text, _skip(text, end) + 1)
        # As the parser does: of members with the same name the last one counts.
        found[key] = place
        place = _after(text, place)
        if text[place] == ",":
            place = _skip(text, place + 1)
    return next((found[key] for key in names if key in found), None)
