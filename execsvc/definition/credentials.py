"""What an llm config says of credentials: the key, the headers, and parameters that name secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from execsvc.definition.headers import may_set
from execsvc.definition.node_types import Builder
from execsvc.secrets import SecretText


def compile_credentials(
    config: Mapping[str, Any], builder: Builder
) -> tuple[SecretText | None, dict[str, SecretText], dict[str, Any]]:
    """Give api_key, headers and parameters; notes problems."""
    api_key: SecretText | None = None
    if config.get("api_key"):
        api_key = builder.secret_text(["api_key"], config["api_key"])
        if not api_key.is_reference:
            # The text is not repeated: it may well be a key.
            message = "must be secret:NAME and nothing else; a key itself does not belong into a workflow"
            builder.problem(["api_key"], "INVALID_VALUE", message)
    headers: dict[str, SecretText] = {}
    for name, value in config.get("headers", {}).items():
        where = ["headers", name]
        # The client of the model says itself what it sends.
        if not may_set(name) or name.lower() == "content-type":
            builder.problem(where, "INVALID_VALUE", "is no header that a workflow may set")
        if not all(character.isprintable() for character in value):
            builder.problem(where, "INVALID_VALUE", "must be one line of text")
        headers[name] = builder.secret_text(where, value)
    if SecretText(config.get("base_url", "")).names:
        message = "cannot name secrets: it is shown in errors; put them into headers or api_key"
        builder.problem(["base_url"], "INVALID_VALUE", message)
    given: Mapping[str, Any] = config.get("parameters", {})
    return api_key, headers, {name: _named(value, ["parameters", name], builder) for name, value in given.items()}


def _named(value: Any, keys: list[str | int], builder: Builder) -> Any:
    """Put a SecretText in the place of each text that names secrets."""
    if isinstance(value, str):
        text = builder.secret_text(keys, value)
        return text if text.names else value
    if isinstance(value, Mapping):
        return {name: _named(part, [*keys, name], builder) for name, part in value.items()}
    if isinstance(value, list):
        return [_named(part, [*keys, i], builder) for i, part in enumerate(value)]
    return value
