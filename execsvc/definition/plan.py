"""A validated definition, ready to run: nodes in topological order with their compiled configs and links."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from execsvc.definition.expressions import Expression
from execsvc.definition.templates import Template
from execsvc.secrets import SecretText


@dataclass(frozen=True, slots=True, kw_only=True)
class InputConfig:
    """Config of an ``input`` node."""

    #: Compiled validator of the schema; None accepts anything.
    validator: Any | None
    #: Values for top-level fields that the input lacks.
    defaults: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmConfig:
    """Config of an ``llm`` node."""

    #: ``provider:model``.
    model: str
    #: (role, template) pairs in order; ``prompt`` is one user message, ``system`` the first one.
    messages: tuple[tuple[str, Template], ...]
    #: Passed on to the provider: temperature, max_tokens, stop, … A text that names secrets is a SecretText.
    parameters: Mapping[str, Any]
    #: JSON Schema of the answer; None: plain text.
    response_schema: Mapping[str, Any] | None
    #: Root of an OpenAI-compatible API; empty: the provider's own.
    base_url: str
    #: One reference to a secret; None: the provider's key in the server's environment.
    api_key: SecretText | None = None
    #: Sent along with each request.
    headers: Mapping[str, SecretText] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpConfig:
    """Config of an ``http`` node. What is sent as body is one of ``json``, ``form`` and ``body``, or nothing."""

    method: str
    #: Scheme, host and port, which no data can change.
    origin: str
    #: What stands behind the origin, up to the query.
    path: Template
    #: The query that the URL itself has; None: it has none.
    search: Template | None
    #: Further parameters of the query.
    query: Mapping[str, Template]
    headers: Mapping[str, Template]
    json: Expression | None
    form: Mapping[str, Template]
    body: Template | None
    #: Statuses that are a success: first and last of each range.
    expected: tuple[tuple[int, int], ...]
    #: How many redirects are followed.
    max_redirects: int
    #: ``auto``, ``json``, ``text`` or ``base64``.
    response_format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionConfig:
    """Config of a ``condition`` node."""

    #: A bool expression with branches "true" and "false"; None where cases are used.
    expression: Expression | None
    #: (branch, expression) in the order they are tried.
    cases: tuple[tuple[str, Expression], ...]
    #: Branch when no case matches; None: no edge is active then.
    default_branch: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformConfig:
    """Config of a ``transform`` node; exactly one is set."""

    expression: Expression | None
    fields: Mapping[str, Expression]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputConfig:
    """Config of an ``output`` node."""

    #: None: the result of the one upstream node that ran, or an object of all of them by id.
    expression: Expression | None


Config = InputConfig | LlmConfig | HttpConfig | ConditionConfig | TransformConfig | OutputConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How failed attempts are repeated. Durations in microseconds."""

    max_attempts: int = 1
    initial_backoff: int = 1_000_000
    multiplier: float = 2.0
    max_backoff: int = 60_000_000
    #: Error types that are never repeated.
    non_retryable: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnError:
    """What happens once a node's last attempt has failed."""

    #: True: the node counts as completed with ``fallback``; False: the execution fails.
    proceed: bool = False
    fallback: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One end of an edge, seen from the other."""

    #: Index into ``Plan.nodes`` of the node at the far end.
    node: int
    #: Branch of the source under which the edge is active; None: always.
    branch: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanNode:
    """One node, ready to run."""

    #: Its place in ``Plan.nodes``.
    index: int
    id: str
    #: Label for people; the id where none was given.
    name: str
    #: Name of its node type.
    type: str
    config: Config
    #: Whether it acts on the world outside: its result is on disk before a dependent starts.
    effect: bool
    incoming: tuple[Link, ...]
    outgoing: tuple[Link, ...]
    #: Ids of the nodes whose edges lead here, in the order of the definition.
    predecessors: tuple[str, ...]
    retry: RetryPolicy | None
    #: Longest one attempt may take, microseconds; None: no limit.
    timeout: int | None
    on_error: OnError
    #: Names of the secrets that each attempt needs.
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A validated definition. Immutable and shared by every execution with the same digest."""

    #: SHA-256 of ``canonical``, lower-case hex.
    digest: str
    #: The definition as canonical JSON: keys sorted, defaults left out, UTF-8.
    canonical: bytes
    #: In topological order; ties in the order of the definition.
    nodes: tuple[PlanNode, ...]
    #: Index into ``nodes`` by node id.
    index: Mapping[str, int]
    #: Indices into ``nodes`` in the order the definition lists them.
    definition_order: tuple[int, ...]
    #: Places that name secrets: path and name.
    secret_uses: tuple[tuple[str, str], ...] = ()
