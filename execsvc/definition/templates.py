"""Mustache templates for prompts: logic-less, no HTML escaping, no partials, bounded in output and in time.

chevron reads the template. It does not render it: its renderer reaches into attributes of Python objects
(``{{input.__class__}}``), has no bound on time or output, and writes ``True`` and ``None`` where JSON is meant.

How names are found: outside of sections a name starts with ``input``, ``nodes`` or ``execution``. Inside of a section
it is looked for in the current item first, then outwards. Dots separate keys; numbers index lists. After ``nodes`` the
longest run of parts that is the id of a node is that node, so ``{{nodes.a.b.text}}`` means node ``a.b`` where there is
one, and node ``a`` otherwise. What is missing, null, or belongs to a skipped node renders as nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from chevron.tokenizer import ChevronError, tokenize

from execsvc.definition.expressions import ExpressionError
from execsvc.definition.problems import shorten
from execsvc.definition.scope import ROOTS, Scope
from execsvc.secrets import Reference, split_references

#: Characters of one template.
MAX_SOURCE = 262_144
#: Tags in one template; reading it takes time by tags times characters.
MAX_TAGS = 1_000
#: Sections inside each other.
MAX_DEPTH = 32
#: Parts of one name: the id of a node may have half of them, and no value is nested as deep as the rest.
MAX_PARTS = 128
#: Characters one rendering may produce.
MAX_OUTPUT = 4 * 1024 * 1024
#: Tags one rendering may visit, about 1 µs each; deep inside of sections one counts as up to five.
MAX_STEPS = 30_000
#: The same for templates that are sent together, as the messages of a conversation are.
MAX_OUTPUT_TOGETHER = 4 * MAX_OUTPUT
MAX_STEPS_TOGETHER = 10 * MAX_STEPS
#: Templates that may be rendered on an event loop; each may take some 30 ms.
FEW = 6


class TemplateError(ExpressionError):
    """A template failed on the data it was given: TEMPLATE_TOO_LARGE, TEMPLATE_TOO_EXPENSIVE or TEMPLATE_FAILED."""


class TemplateInvalid(Exception):
    """A template cannot be used.

    Args:
        reason: TEMPLATE_SYNTAX, TEMPLATE_UNKNOWN_NAME, TEMPLATE_TOO_LARGE or TEMPLATE_UNSUPPORTED.
        message: what is wrong, for people.
    """

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        self.message = message
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class _Variable:
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Section:
    keys: tuple[str, ...]
    inverted: bool
    parts: tuple[_Part, ...]


_Part = str | _Variable | _Section | Reference

_NO_SECRETS: Mapping[str, str] = {}
_MISSING: Any = object()


class Template:
    """A parsed template. Immutable and shared."""

    __slots__ = ("_parts", "node_ids", "secrets", "source")

    def __init__(self, source: str, node_ids: Collection[str] = (), *, secrets: bool = False) -> None:
        """Parse. Raises TemplateInvalid.

        Args:
            node_ids: the definition's nodes, to find ids with dots.
            secrets: whether ``secret:NAME`` in its own text stands for a secret. In values it never does.
        """
        reader = _Reader(source, node_ids, secrets=secrets)
        #: The text it was parsed from.
        self.source = source
        self._parts = reader.read()
        #: Ids of the nodes it names, in order of appearance; may hold ids that no node has.
        self.node_ids: tuple[str, ...] = tuple(reader.found)
        #: Secrets it names, in order of appearance.
        self.secrets: tuple[str, ...] = tuple(reader.secrets)

    def __repr__(self) -> str:
        return f"Template({self.source!r})"

    def position(self, node_id: str) -> str:
        """Say where the template first names a node: "line 1"."""
        return f"line {_line(self.source, 'nodes.' + node_id)}"

    @property
    def literals(self) -> Iterator[str]:
        """The pieces of its own text, also inside of sections: all that it writes besides values."""
        return _literals(self._parts)

    def render(
        self, scope: Scope, secrets: Mapping[str, str] = _NO_SECRETS, *, quote: Callable[[str], str] = str
    ) -> str:
        """Fill in the values. Raises TemplateError, and what ``quote`` does.

        Args:
            secrets: values of those it names, as they are to stand there.
            quote: applied to each value of the data, as for one that goes into a URL.
        """
        return self._render(scope, secrets, quote)[0]

    def _render(self, scope: Scope, secrets: Mapping[str, str], quote: Callable[[str], str]) -> tuple[str, int]:
        """Answer the text, and how many tags were visited."""
        if len(self._parts) == 1 and isinstance(self._parts[0], str):
            return self._parts[0], 1
        renderer = _Renderer(secrets, quote)
        renderer.render(self._parts, ({"input": scope.input, "nodes": scope.nodes, "execution": scope.execution},))
        return "".join(renderer.pieces), renderer.steps


def render_all(templates: Iterable[Template], scope: Scope) -> list[str]:
    """Fill in the values of templates that are sent together, which are bounded together, too.

    Takes up to 0.3 s; more than ``FEW`` are for another thread than the event loop's. Raises TemplateError.
    """
    texts = []
    length = steps = 0
    for template in templates:
        text, visited = template._render(scope, _NO_SECRETS, str)
        length += len(text)
        steps += visited
        if length > MAX_OUTPUT_TOGETHER:
            message = f"the templates render to more than {MAX_OUTPUT_TOGETHER} characters together"
            raise TemplateError("TEMPLATE_TOO_LARGE", message)
        if steps > MAX_STEPS_TOGETHER:
            message = f"the templates visit more than {MAX_STEPS_TOGETHER} tags together"
            raise TemplateError("TEMPLATE_TOO_EXPENSIVE", message)
        texts.append(text)
    return texts


class _Reader:
    def __init__(self, source: str, node_ids: Collection[str], *, secrets: bool) -> None:
        self._source = source
        self._node_ids = node_ids
        self._may_name_secrets = secrets
        self.found: dict[str, None] = {}
        self.secrets: dict[str, None] = {}

    def read(self) -> tuple[_Part, ...]:
        source = self._source
        if len(source) > MAX_SOURCE:
            raise TemplateInvalid(
                "TEMPLATE_TOO_LARGE", f"the template has {len(source)} characters; at most {MAX_SOURCE} are allowed"
            )
        self._limit_tags("{{")
        # (parts, name, inverted) of each open section.
        stack: list[tuple[list[_Part], tuple[str, ...], bool]] = [([], (), False)]
        try:
            for kind, text in tokenize(source):
                self._token(kind, text, stack)
        except ChevronError as error:
            # chevron counts lines from 2 where it speaks of a closing tag.
            text = re.sub(
                r"^(Trying to close .*line )(\d+)$", lambda m: f"{m[1]}{int(m[2]) - 1}", " ".join(str(error).split())
            )
            raise TemplateInvalid("TEMPLATE_SYNTAX", text) from error
        except (IndexError, ValueError) as error:
            raise TemplateInvalid("TEMPLATE_SYNTAX", "the template holds an empty or malformed tag") from error
        return tuple(stack[0][0])

    def _limit_tags(self, delimiter: str) -> None:
        if delimiter and self._source.count(delimiter) > MAX_TAGS:
            raise TemplateInvalid("TEMPLATE_TOO_LARGE", f"the template has more than {MAX_TAGS} tags")

    def _token(self, kind: str, text: str, stack: list[tuple[list[_Part], tuple[str, ...], bool]]) -> None:
        parts = stack[-1][0]
        match kind:
            case "literal":
                self._literal(text, parts)
            case "variable" | "no escape":
                parts.append(_Variable(self._keys(text, stack)))
            case "section" | "inverted section":
                if len(stack) > MAX_DEPTH:
                    raise TemplateInvalid("TEMPLATE_TOO_LARGE", f"sections nest deeper than {MAX_DEPTH} levels")
                stack.append(([], self._keys(text, stack), kind != "section"))
            case "end":
                inner, keys, inverted = stack.pop()
                stack[-1][0].append(_Section(keys, inverted, tuple(inner)))
            case "partial":
                raise TemplateInvalid(
                    "TEMPLATE_UNSUPPORTED",
                    f"partials such as {{{{>{text}}}}} are not supported (line {_line(self._source, text)}); "
                    "write the text out",
                )
            case "set delimiter":
                opening, closing = text.split(" ")[0], text.split(" ")[-1]
                if not opening or not closing or opening == closing == text:
                    raise TemplateInvalid("TEMPLATE_SYNTAX", "a change of delimiters names two, as in {{=<% %>=}}")
                self._limit_tags(opening)
            case _:
                raise TemplateInvalid(
                    "TEMPLATE_SYNTAX", f"the tag {text!r} is not closed (line {_line(self._source, text)})"
                )

    def _literal(self, text: str, parts: list[_Part]) -> None:
        if not self._may_name_secrets:
            parts.append(text)
            return
        for part in split_references(text):
            parts.append(part)
            if isinstance(part, Reference):
                self.secrets[part.name] = None

    def _keys(self, name: str, stack: list[tuple[list[_Part], tuple[str, ...], bool]]) -> tuple[str, ...]:
        in_section = any(keys and not inverted for _, keys, inverted in stack)
        if name == ".":
            if not in_section:
                raise self._invalid("TEMPLATE_UNKNOWN_NAME", "{{.}} has a meaning only in a section", name)
            return (".",)
        keys = tuple(name.split("."))
        if "" in keys:
            raise self._invalid("TEMPLATE_SYNTAX", f"{shorten(name)!r} is no name", name)
        if len(keys) > MAX_PARTS:
            raise self._invalid("TEMPLATE_TOO_LARGE", f"{shorten(name)!r} has more than {MAX_PARTS} parts", name)
        if keys[0] == "nodes":
            return self._node_keys(keys)
        if keys[0] not in ROOTS and not in_section:
            known = ", ".join(ROOTS)
            raise self._invalid(
                "TEMPLATE_UNKNOWN_NAME", f"unknown variable {shorten(name)!r}; templates see {known}", name
            )
        return keys

    def _invalid(self, reason: str, message: str, name: str) -> TemplateInvalid:
        return TemplateInvalid(reason, f"{message} (line {_line(self._source, name)})")

    def _node_keys(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        if len(keys) == 1:
            raise self._invalid("TEMPLATE_UNKNOWN_NAME", "'nodes' needs the id of a node, as in nodes.a", "nodes")
        for end in range(len(keys), 2, -1):
            node_id = ".".join(keys[1:end])
            if node_id in self._node_ids:
                break
        else:
            node_id, end = keys[1], 2
        self.found[node_id] = None
        return ("nodes", node_id, *keys[end:])


class _Renderer:
    def __init__(self, secrets: Mapping[str, str], quote: Callable[[str], str]) -> None:
        self._secrets = secrets
        self._quote = quote
        self.pieces: list[str] = []
        self._length = 0
        self.steps = 0

    def render(self, parts: tuple[_Part, ...], contexts: tuple[Any, ...]) -> None:
        # A name may be looked for in each of them.
        step = 1 + len(contexts) // 8
        for part in parts:
            self.steps += step
            if self.steps > MAX_STEPS:
                raise TemplateError("TEMPLATE_TOO_EXPENSIVE", f"the template visits more than {MAX_STEPS} tags")
            if isinstance(part, str):
                self._write(part)
            elif isinstance(part, Reference):
                self._write(self._secrets[part.name])
            elif isinstance(part, _Variable):
                self._write(self._quote(_text(_look_up(part.keys, contexts))))
            else:
                self._section(part, contexts)

    def _section(self, section: _Section, contexts: tuple[Any, ...]) -> None:
        value = _look_up(section.keys, contexts)
        given = value is not _MISSING and bool(value)
        if section.inverted:
            if not given:
                self.render(section.parts, contexts)
        elif given:
            for item in value if isinstance(value, list) else (value,):
                # An empty section takes a step too.
                self.steps += 1
                self.render(section.parts, (*contexts, item))

    def _write(self, text: str) -> None:
        self._length += len(text)
        if self._length > MAX_OUTPUT:
            raise TemplateError("TEMPLATE_TOO_LARGE", f"the template renders to more than {MAX_OUTPUT} characters")
        self.pieces.append(text)


def _literals(parts: tuple[_Part, ...]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, str):
            yield part
        elif isinstance(part, _Section):
            yield from _literals(part.parts)


def _look_up(keys: tuple[str, ...], contexts: tuple[Any, ...]) -> Any:
    if keys == (".",):
        return contexts[-1]
    for context in reversed(contexts):
        # JSON; the mappings of a scope are reached from the first one alone.
        if isinstance(context, dict) and keys[0] in context:
            value = context[keys[0]]
            for key in keys[1:]:
                value = _child(value, key)
                if value is _MISSING:
                    break
            return value
    return _MISSING


def _child(value: Any, key: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(key, _MISSING)
    if isinstance(value, list) and key.isdecimal() and len(key) < 10 and int(key) < len(value):
        return value[int(key)]
    return _MISSING


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None or value is _MISSING:
        return ""
    try:
        return orjson.dumps(value, default=dict).decode()
    except TypeError as error:
        raise TemplateError("TEMPLATE_FAILED", f"a value cannot be written as JSON: {error}") from error


def _line(source: str, text: str) -> int:
    found = re.search(r"\{\{[#^&{>]?\s*" + re.escape(text), source)
    return source.count("\n", 0, found.start() if found else max(source.find(text), 0)) + 1
