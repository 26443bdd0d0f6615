"""Keeps the values of secrets out of text and JSON: whole, encoded as is usual, or in pieces of a stream."""

from __future__ import annotations

import base64
import html
import json
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, quote_plus

import orjson

#: Stands for a value that is not shown.
HIDDEN: Final = "[redacted]"
#: Shortest value that can be told from ordinary text; replacing shorter ones would garble it.
LEAST: Final = 8
#: Shortest beginning of a value that is taken out at the end of a text that was cut.
_CUT_LEAST: Final = 6
#: Endings that say that a text was cut.
_MARKS: Final = ("…", "...")
#: Characters of a text that is looked through at once.
_SHORT: Final = 256
#: Values that the log of a process keeps in mind, the last used ones.
REMEMBERED: Final = 1_000


def _spellings(value: str) -> Iterator[str]:
    """Give what a value looks like where it was encoded."""
    yield value
    yield value.strip()
    for escaped in (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]):
        yield escaped
        yield escaped.replace("/", "\\/")
        # JSON inside of JSON.
        yield json.dumps(escaped)[1:-1]
    yield repr(value)[1:-1]
    yield html.escape(value)
    for quoted in (quote(value, safe=""), quote(value), quote_plus(value)):
        yield quoted
        yield re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), quoted)
    data = value.encode(errors="surrogatepass")
    yield data.hex()
    yield data.hex().upper()
    # In Basic authorisation a name stands before it, and so it begins at any bit of a letter.
    for before in range(3):
        letters = base64.b64encode(bytes(before) + data).decode()
        inner = letters[-(-before * 8 // 6) : (before + len(data)) * 8 // 6]
        yield inner
        yield inner.replace("+", "-").replace("/", "_")
    lines = value.splitlines()
    if len(lines) > 1:
        # Keys in PEM are shown line by line, or with other line ends.
        for line in lines:
            if len(line.strip()) >= 2 * LEAST:
                yield from _spellings(line.strip())


class Scrubber:
    """Takes some values out of whatever is given to it. Immutable.

    What it cannot know: a value that was encrypted, hashed, compressed, reversed, or shown in part.
    """

    __slots__ = ("_find", "_needles", "_values")

    def __init__(self, values: Iterable[str] = ()) -> None:
        """Take the values, each of ``LEAST`` characters or more."""
        self._values = tuple(dict.fromkeys(values))
        # Longest first, since one may be the beginning of another.
        needles = {spelling for value in self._values for spelling in _spellings(value)}
        self._needles = tuple(sorted((n for n in needles if len(n) >= LEAST), key=lambda n: (-len(n), n)))
        self._find = re.compile("|".join(map(re.escape, self._needles))) if self._needles else None

    def __repr__(self) -> str:
        return f"Scrubber({len(self._values)} values)"

    def __bool__(self) -> bool:
        return bool(self._values)

    @property
    def needles(self) -> tuple[str, ...]:
        """What it looks for; the longest first."""
        return self._needles

    def hide(self, text: str) -> str:
        """Replace the values in a text, and the beginning of one at its end where it was cut."""
        if self._find is None:
            return text
        # Of a long text a look for each is quicker than one for all.
        if len(text) < _SHORT or any_in(self._needles, text):
            text = self._find.sub(HIDDEN, text)
        return self._hide_cut(text)

    def _hide_cut(self, text: str) -> str:
        mark = next((mark for mark in _MARKS if text.endswith(mark)), "")
        body = text.removesuffix(mark)
        for value in self._values:
            start = beginning_at_end(body, (value,), least=_CUT_LEAST)
            if start is not None:
                return body[:start] + HIDDEN + mark
        return text

    def hide_in(self, value: Any, encoded: bytes) -> Any:
        """Replace the values in what is JSON; answers the very same object where it holds none.

        Args:
            encoded: the same as JSON text.
        """
        # A look at the text is quick, a walk through a large value is not.
        if self._find is None or not any(_json_text(needle) in encoded for needle in self._needles):
            return value
        return self.walk(value)

    def walk(self, value: Any) -> Any:
        """Replace the values wherever they stand in a value, numbers and keys included."""
        if isinstance(value, str):
            return self.hide(value)
        if isinstance(value, Mapping):
            return {self.hide(str(key)): self.walk(part) for key, part in value.items()}
        if isinstance(value, list | tuple):
            return [self.walk(part) for part in value]
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return HIDDEN if self.hide(str(value)) != str(value) else value
        shown = repr(value)
        return value if self.hide(shown) == shown else self.hide(shown)


def _json_text(text: str) -> bytes:
    try:
        return orjson.dumps(text)[1:-1]
    except TypeError:
        # Half of a surrogate pair: no JSON text can hold it.
        return text.encode(errors="replace")


def any_in(needles: Iterable[str], text: str) -> bool:
    """Whether a text holds any of them."""
    for needle in needles:  # noqa: SIM110 - a generator takes three times as long
        if needle in text:
            return True
    return False


def beginning_at_end(text: str, needles: Iterable[str], *, least: int = 1) -> int | None:
    """Give where the longest ending of a text starts that is the beginning of a needle, but not all of it."""
    starts = []
    for needle in needles:
        at = text.find(needle[0], max(0, len(text) - len(needle) + 1))
        while at >= 0 and len(text) - at >= least:
            if needle.startswith(text[at:]):
                starts.append(at)
                break
            at = text.find(needle[0], at + 1)
    return min(starts, default=None)


class StreamScrubber:
    """Takes values out of a text that comes in pieces, wherever it is divided.

    Args:
        emit: is given the pieces, which hold back what may be the beginning of a value until that is clear.
    """

    def __init__(self, scrubber: Scrubber, emit: Callable[[str], None]) -> None:
        self._scrubber = scrubber
        self._emit = emit
        self._held = ""

    def feed(self, piece: str) -> None:
        """Take the next piece."""
        text = self._held + piece
        for needle in self._scrubber.needles:
            if needle in text:
                text = text.replace(needle, HIDDEN)
        start = beginning_at_end(text, self._scrubber.needles)
        self._held = "" if start is None else text[start:]
        if given := text if start is None else text[:start]:
            self._emit(given)

    def end(self) -> None:
        """Give what was held back: no more will come."""
        held, self._held = self._held, ""
        if held:
            self._emit(self._scrubber.hide(held))


NOTHING: Final = Scrubber()


class Remembered:
    """The values that this process has used lately, for what speaks of many executions: its log."""

    def __init__(self, size: int = REMEMBERED) -> None:
        self._size = size
        #: By the values that an attempt has used together.
        self._scrubbers: OrderedDict[tuple[str, ...], Scrubber] = OrderedDict()
        self._needles: tuple[str, ...] = ()

    def add(self, values: Iterable[str]) -> Scrubber:
        """Keep values in mind; answers a scrubber of these alone."""
        key = tuple(sorted(set(values)))
        scrubber = self._scrubbers.get(key)
        if scrubber is None:
            scrubber = self._scrubbers[key] = Scrubber(key)
            while len(self._scrubbers) > self._size:
                self._scrubbers.popitem(last=False)
            self._needles = tuple({needle for kept in self._scrubbers.values() for needle in kept.needles})
        else:
            self._scrubbers.move_to_end(key)
        return scrubber

    def hide(self, text: str) -> str:
        """Replace all of them in a text."""
        if not any_in(self._needles, text):
            return text
        # A copy: other threads log as well.
        for scrubber in list(self._scrubbers.values()):
            text = scrubber.hide(text)
        return text


#: What every line of this process's log is looked through for.
REMEMBERED_VALUES: Final = Remembered()
