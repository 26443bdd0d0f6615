"""The registry of node types: what a type is, and how its config is checked and compiled."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from jsonschema import Draft202012Validator

from execsvc.definition.expressions import Expression, ExpressionInvalid
from execsvc.definition.problems import Problems, join
from execsvc.definition.schemas import check
from execsvc.definition.templates import Template, TemplateInvalid
from execsvc.egress import Egress, url_problem
from execsvc.secrets import MAX_NAME, SecretText


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A place in a config that reads the results of nodes."""

    path: str
    #: Id it names; None where it computes ids, and so sees every upstream node.
    node_id: str | None
    #: What reads them.
    text: Expression | Template


@dataclass(frozen=True, slots=True)
class SecretUse:
    """A place in a definition that names a secret."""

    path: str
    name: str


class Builder:
    """Compiles the config of one node; collects problems and what the config reads."""

    def __init__(
        self, *, path: str, problems: Problems, node_ids: Collection[str], egress: Egress | None = None
    ) -> None:
        self._path = path
        self._problems = problems
        self._node_ids = node_ids
        self._egress = egress
        self.uses: list[Use] = []
        self.secrets: list[SecretUse] = []

    def problem(self, keys: Iterable[str | int], reason: str, message: str) -> None:
        """Note a problem with a part of the config."""
        self._problems.add(join(self._path, keys), reason, message)

    def path(self, keys: Iterable[str | int]) -> str:
        """Give the path of a part of the config."""
        return join(self._path, keys)

    @property
    def problems(self) -> Problems:
        """Where problems go."""
        return self._problems

    def expression(self, keys: Iterable[str | int], source: str, *, wanted: str | None = None) -> Expression | None:
        """Compile a CEL expression; None, and a problem, where it cannot be. ``wanted`` is the type it must have."""
        path = self.path(keys)
        try:
            expression = Expression(source)
        except ExpressionInvalid as error:
            self._problems.add(path, error.reason, error.message)
            return None
        if wanted is not None and expression.result_type not in (wanted, "dyn"):
            self._problems.add(path, "CEL_TYPE", f"must give a {wanted}, not a {expression.result_type}")
        self._note(path, expression)
        if expression.reads_any_node:
            self.uses.append(Use(path=path, node_id=None, text=expression))
        return expression

    def template(self, keys: Iterable[str | int], source: str, *, secrets: bool = False) -> Template | None:
        """Parse a mustache template; None, and a problem, where it cannot be.

        Args:
            secrets: whether its own text may name secrets; ``Template.render`` then takes their values.
        """
        path = self.path(keys)
        try:
            template = Template(source, self._node_ids, secrets=secrets)
        except TemplateInvalid as error:
            self._problems.add(path, error.reason, error.message)
            return None
        self._note(path, template)
        self._note_secrets(path, template.secrets)
        return template

    def secret_text(self, keys: Iterable[str | int], source: str) -> SecretText:
        """Read a string that may name secrets, as in ``Bearer secret:NAME``; ``reveal`` fills in their values."""
        text = SecretText(source)
        self._note_secrets(self.path(keys), text.names)
        return text

    def _note_secrets(self, path: str, names: Iterable[str]) -> None:
        for name in names:
            if len(name) > MAX_NAME:
                self._problems.add(path, "TOO_LONG", f"the name of a secret has at most {MAX_NAME} characters")
            self.secrets.append(SecretUse(path, name))

    def url(self, keys: Iterable[str | int], url: str) -> str | None:
        """Check a URL that the node will call; None, and a problem, where it is none, or the operator has refused it.

        What a host's name leads to is known only when it is called, and checked then.
        """
        problem = url_problem(url)
        if problem:
            self.problem(keys, "INVALID_VALUE", problem)
            return None
        refusal = self._egress.refusal(url) if self._egress is not None else ""
        if refusal:
            self.problem(keys, "ADDRESS_NOT_ALLOWED", refusal)
            return None
        return url

    def _note(self, path: str, text: Expression | Template) -> None:
        for node_id in text.node_ids:
            self.uses.append(Use(path=path, node_id=node_id, text=text))


def object_schema(properties: Mapping[str, Any], required: tuple[str, ...] = ()) -> dict[str, Any]:
    """Make the JSON Schema of an object with these fields and no others."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


#: Gives None where it has noted a problem.
Compile = Callable[[Mapping[str, Any], Builder], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeType:
    """A kind of node."""

    #: As written in "type".
    name: str
    #: What it does, for people.
    description: str
    #: JSON Schema (draft 2020-12) of its config; fields with a "default" may be left out, and mean that.
    config_schema: Mapping[str, Any]
    #: Whether it acts on the world outside: its result is on disk before a dependent starts.
    effect: bool
    #: Turns a config that fits the schema into what the engine runs.
    compile: Compile
    #: Names of the branches of a compiled config; None where the type chooses none.
    branches: Callable[[Any], tuple[str, ...]] | None = None
    _validator: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_validator", Draft202012Validator(self.config_schema))

    @property
    def fields(self) -> Mapping[str, Any]:
        """Schemas of the fields of the config, by name."""
        found: Mapping[str, Any] = self.config_schema.get("properties", {})
        return found

    def normalize(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Drop fields that say nothing: null, and what is the default anyway."""
        return {
            key: value
            for key, value in config.items()
            if value is not None and not (key in self.fields and _same(self.fields[key].get("default", ...), value))
        }

    def check(self, config: Mapping[str, Any], path: str, problems: Problems) -> bool:
        """Note what of a config does not fit the schema; tell whether it can be compiled all the same."""
        before = len(problems)
        check(self._validator, config, path, problems)
        return problems.reasons(before) <= {"UNKNOWN_FIELD"}


def _same(default: Any, value: Any) -> bool:
    return type(default) is type(value) and bool(default == value)


class NodeTypes(Mapping[str, NodeType]):
    """Node types by name; never changed, only extended into a new one."""

    __slots__ = ("_types",)

    def __init__(self, types: Iterable[NodeType]) -> None:
        self._types: dict[str, NodeType] = {}
        for node_type in types:
            if node_type.name in self._types:
                raise ValueError(f"there are two node types named {node_type.name!r}")
            self._types[node_type.name] = node_type

    def __getitem__(self, name: str) -> NodeType:
        return self._types[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._types)

    def __len__(self) -> int:
        return len(self._types)

    def extended(self, types: Iterable[NodeType]) -> NodeTypes:
        """Give these types and more. Raises ValueError where a name is taken."""
        return NodeTypes([*self._types.values(), *types])
