"""The node types that come with the service: input, llm, http, condition, transform, output."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from execsvc.definition.credentials import compile_credentials
from execsvc.definition.http_type import HTTP
from execsvc.definition.inputs import compile_input
from execsvc.definition.node_types import Builder, NodeType, NodeTypes, object_schema
from execsvc.definition.plan import ConditionConfig, LlmConfig, OutputConfig, TransformConfig
from execsvc.definition.schemas import SchemaInvalid, compile_schema
from execsvc.definition.templates import Template

_EXPRESSION = {"type": "string", "default": "", "description": "A CEL expression; sees input, nodes.<id>, execution."}
_TEMPLATE = "A mustache template; sees input, nodes.<id>, execution."
BRANCH_PATTERN = "^[A-Za-z0-9_.:-]{1,128}$"


def _compile_llm(config: Mapping[str, Any], builder: Builder) -> LlmConfig | None:
    before = len(builder.problems)
    model = config["model"]
    provider, colon, _ = model.partition(":")
    if not colon or not provider:
        builder.problem(
            ["model"],
            "INVALID_VALUE",
            f"must be provider:model, such as 'openai:gpt-4o-mini' or 'echo:', not {model!r}",
        )
    prompt, given = config.get("prompt", ""), config.get("messages", [])
    if prompt and given:
        builder.problem(["messages"], "CONFLICT", "set either 'prompt' or 'messages', not both")
    if not prompt and not given:
        builder.problem(["prompt"], "MISSING_FIELD", "set 'prompt', or 'messages'")
    messages: list[tuple[str, Template | None]] = []
    if config.get("system"):
        messages.append(("system", builder.template(["system"], config["system"])))
    for i, message in enumerate(given):
        messages.append((message["role"], builder.template(["messages", i, "content"], message["content"])))
    if prompt:
        messages.append(("user", builder.template(["prompt"], prompt)))
    schema = config.get("response_schema") or None
    if schema is not None:
        try:
            compile_schema(schema)
        except SchemaInvalid as error:
            builder.problem(["response_schema", *error.keys], "INVALID_SCHEMA", error.message)
    base_url = config.get("base_url", "")
    if base_url:
        builder.url(["base_url"], base_url)
    api_key, headers, parameters = compile_credentials(config, builder)
    if len(builder.problems) > before:
        return None
    return LlmConfig(
        model=model,
        messages=tuple((role, template) for role, template in messages if template is not None),
        parameters=MappingProxyType(parameters),
        response_schema=schema,
        base_url=base_url,
        api_key=api_key,
        headers=MappingProxyType(headers),
    )


def _compile_condition(config: Mapping[str, Any], builder: Builder) -> ConditionConfig:
    source, cases, default = config.get("expression", ""), config.get("cases", []), config.get("default_branch", "")
    if source and cases:
        builder.problem(["cases"], "CONFLICT", "set either 'expression' or 'cases', not both")
    if not source and not cases:
        builder.problem(["expression"], "MISSING_FIELD", "set 'expression', or 'cases'")
    if default and not cases:
        builder.problem(["default_branch"], "CONFLICT", "'default_branch' goes with 'cases' only")
    compiled: dict[str, Any] = {}
    seen: dict[str, int] = {}
    for i, case in enumerate(cases):
        branch = case["branch"]
        if branch in seen:
            builder.problem(
                ["cases", i, "branch"], "DUPLICATE_BRANCH", f"case {seen[branch]} has the branch {branch!r} already"
            )
        seen.setdefault(branch, i)
        # One that is wrong names its branch all the same: edges are not to blame for its expression.
        compiled[branch] = builder.expression(["cases", i, "expression"], case["expression"], wanted="bool")
    return ConditionConfig(
        expression=builder.expression(["expression"], source, wanted="bool") if source else None,
        cases=tuple(compiled.items()),
        default_branch=default or None,
    )


def condition_branches(config: ConditionConfig) -> tuple[str, ...]:
    """Name the branches of a condition, in the order they are tried."""
    if not config.cases:
        return ("true", "false")
    names = [branch for branch, _ in config.cases]
    if config.default_branch is not None:
        names.append(config.default_branch)
    return tuple(dict.fromkeys(names))


def _compile_transform(config: Mapping[str, Any], builder: Builder) -> TransformConfig:
    source, fields = config.get("expression", ""), config.get("fields", {})
    if source and fields:
        builder.problem(["fields"], "CONFLICT", "set either 'expression' or 'fields', not both")
    if not source and not fields:
        builder.problem(["expression"], "MISSING_FIELD", "set 'expression', or 'fields'")
    compiled = {name: builder.expression(["fields", name], text) for name, text in fields.items()}
    return TransformConfig(
        expression=builder.expression(["expression"], source) if source else None,
        fields=MappingProxyType({name: value for name, value in compiled.items() if value is not None}),
    )


def _compile_output(config: Mapping[str, Any], builder: Builder) -> OutputConfig:
    source = config.get("expression", "")
    return OutputConfig(expression=builder.expression(["expression"], source) if source else None)


BUILTIN = NodeTypes(
    [
        NodeType(
            name="input",
            description="Checks the execution's input against a JSON Schema, fills in defaults, and passes it on.",
            config_schema=object_schema(
                {
                    "schema": {
                        "type": "object",
                        "default": {},
                        "description": "JSON Schema (draft 2020-12) of the input; references stay inside it. "
                        "Left out: anything is accepted.",
                    },
                    "defaults": {
                        "type": "object",
                        "default": {},
                        "description": "Values for top-level fields that the input lacks.",
                    },
                }
            ),
            effect=False,
            compile=compile_input,
        ),
        NodeType(
            name="llm",
            description="Calls a chat model and streams its answer.",
            config_schema=object_schema(
                {
                    "model": {
                        "type": "string",
                        "minLength": 1,
                        "maxLength": 256,
                        "description": "provider:model, such as openai:gpt-4o-mini. 'echo:' is the built-in offline "
                        "model, which repeats its prompt.",
                    },
                    "prompt": {"type": "string", "default": "", "description": f"One user message. {_TEMPLATE}"},
                    "messages": {
                        "type": "array",
                        "default": [],
                        "description": "The conversation; instead of prompt.",
                        "items": object_schema(
                            {
                                "role": {
                                    "enum": ["system", "user", "assistant"],
                                    "description": "Who speaks.",
                                },
                                "content": {"type": "string", "description": _TEMPLATE},
                            },
                            ("role", "content"),
                        ),
                    },
                    "system": {"type": "string", "default": "", "description": f"The system message. {_TEMPLATE}"},
                    "parameters": {
                        "type": "object",
                        "default": {},
                        "description": "Model parameters such as temperature, max_tokens or stop. Text may name "
                        "secrets, as secret:NAME.",
                    },
                    "response_schema": {
                        "type": "object",
                        "default": {},
                        "description": "JSON Schema of the answer; the result is then the parsed object.",
                    },
                    "base_url": {
                        "type": "string",
                        "default": "",
                        "maxLength": 2048,
                        "description": "Root of an OpenAI-compatible API, on a host that the operator lets nodes call "
                        "(--egress). Left out: the provider's own.",
                    },
                    "api_key": {
                        "type": "string",
                        "default": "",
                        "description": "secret:NAME, the secret that is the provider's key. Left out: the key in the "
                        "server's environment.",
                    },
                    "headers": {
                        "type": "object",
                        "default": {},
                        "maxProperties": 32,
                        "additionalProperties": {"type": "string", "maxLength": 8192},
                        "description": "Further headers of each request; values may name secrets, as in "
                        "Bearer secret:NAME.",
                    },
                },
                ("model",),
            ),
            effect=True,
            compile=_compile_llm,
        ),
        HTTP,
        NodeType(
            name="condition",
            description="Chooses which outgoing edges are active.",
            config_schema=object_schema(
                {
                    "expression": _EXPRESSION
                    | {"description": "A CEL expression of type bool; its branches are true and false."},
                    "cases": {
                        "type": "array",
                        "default": [],
                        "description": "Instead of expression: tried in order, the first true one names the branch.",
                        "items": object_schema(
                            {
                                "branch": {
                                    "type": "string",
                                    "pattern": BRANCH_PATTERN,
                                    "description": "Branch that this case activates.",
                                },
                                "expression": {"type": "string", "description": "A CEL expression of type bool."},
                            },
                            ("branch", "expression"),
                        ),
                    },
                    "default_branch": {
                        "type": "string",
                        "default": "",
                        "pattern": "^[A-Za-z0-9_.:-]{0,128}$",
                        "description": "With cases: the branch when none is true. Left out: no edge is active then.",
                    },
                }
            ),
            effect=False,
            compile=_compile_condition,
            branches=condition_branches,
        ),
        NodeType(
            name="transform",
            description="Computes a value from earlier results.",
            config_schema=object_schema(
                {
                    "expression": _EXPRESSION,
                    "fields": {
                        "type": "object",
                        "default": {},
                        "additionalProperties": {"type": "string"},
                        "description": "CEL expressions by field name; the result is an object. Instead of expression.",
                    },
                }
            ),
            effect=False,
            compile=_compile_transform,
        ),
        NodeType(
            name="output",
            description="Computes the execution's result; those of several output nodes are merged by node id.",
            config_schema=object_schema(
                {
                    "expression": _EXPRESSION
                    | {
                        "description": "A CEL expression. Left out: the result of the one upstream node, or an object "
                        "of all of them by id."
                    }
                }
            ),
            effect=False,
            compile=_compile_output,
        ),
    ]
)
