"""A plug-in that calls an HTTP server with secrets in url, headers and body, and says all that it sees; and a vault."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from execsvc.definition import Builder, NodeType, Template
from execsvc.engine import NodeContext, NodeError, NodePlugin, NodeResult
from execsvc.model import LogLevel
from execsvc.secrets import SecretText

_STRING = {"type": "string", "default": ""}


@dataclass(frozen=True)
class CallConfig:
    """Config of a ``call`` node."""

    url: SecretText
    headers: Mapping[str, SecretText]
    body: Template
    #: How it ends: answer, fail (with all it has seen as its error), or raise (the same as any exception).
    ends: str


def _compile(config: Mapping[str, Any], builder: Builder) -> CallConfig | None:
    body = builder.template(["body"], config.get("body", ""), secrets=True)
    url = builder.secret_text(["url"], config["url"])
    headers = {name: builder.secret_text(["headers", name], value) for name, value in config.get("headers", {}).items()}
    return None if body is None else CallConfig(url, headers, body, config.get("ends", "answer"))


class CallNode:
    """Calls, and keeps nothing to itself."""

    effect = True

    async def run(self, config: CallConfig, context: NodeContext) -> NodeResult:
        url = config.url.reveal(context.secrets, quote=lambda value: quote(value, safe=""))
        headers = {name: text.reveal(context.secrets) for name, text in config.headers.items()}
        body = config.body.render(context.scope, context.secrets)
        context.log(LogLevel.INFO, f"calling {url} with {headers}", {"headers": headers, "body": body})
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = (await client.post(url, headers=headers, content=body)).json()
        told = f"{context} has seen {json.dumps(answer)} and {body!r}"
        context.log(LogLevel.DEBUG, told, {"answer": answer})
        for at in range(0, len(told), 5):
            context.emit_token(told[at : at + 5])
        if config.ends == "raise":
            raise RuntimeError(told)
        if config.ends == "fail":
            raise NodeError("CALL_FAILED", told, retryable=True)
        return NodeResult(output={"answer": answer, body: told})


call = NodePlugin(
    type=NodeType(
        name="call",
        description="Calls an HTTP server.",
        config_schema={
            "type": "object",
            "properties": {"url": _STRING, "body": _STRING, "headers": {"type": "object"}, "ends": _STRING},
            "required": ["url"],
            "additionalProperties": False,
        },
        effect=True,
        compile=_compile,
    ),
    executor=CallNode,
)


class Vault:
    """Has the secrets that a JSON file named by VAULT_FILE holds: by namespace, then by name."""

    async def get(self, namespace: str, name: str) -> str | None:
        """See ``SecretSource``."""
        values = json.loads(await asyncio.to_thread(Path(os.environ["VAULT_FILE"]).read_text))
        found: str | None = values.get(namespace, {}).get(name)
        return found
