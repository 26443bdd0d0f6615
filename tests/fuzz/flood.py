"""Floods a server that asks for tokens with requests nobody should send, as fast as it takes them: ``flood``."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pool import Default

from execsvc.rpc.server import SERVICES
from execsvc_client import to_definition, v1
from tests.support.statuses import read
from tests.support.workflows import ECHO, output, transform, workflow

METHODS: Final[list[MethodDescriptor]] = [
    method for service in SERVICES for method in Default().FindServiceByName(service).methods
]
#: Paths that there are not.
STRAY: Final = (
    "/execsvc.v1.ExecutionService/Nothing",
    "/execsvc.v1/Execute",
    "/",
    "/x/y/z",
    "/grpc.health.v1.Health/X",
)
#: Seconds after which a call hangs. A stream that nothing ends is left after its first response.
HANGS: Final = 60.0
IN_FLIGHT: Final = 64
#: Bytes that mean something to protobuf, to JSON, to templates, to expressions or to SQL.
SPICE: Final = (
    *(
        b"",
        b"\x00",
        b"\xff" * 10,
        b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
        b"\x0a\xff\xff\xff\xff\x0f",
        b"\x0b",
        b"\x7f",
    ),
    *(
        b"{{",
        b"}}{{#a}}",
        b"nodes.a",
        b"secret:A",
        b"'; --",
        b"%s%n",
        b"\xf0\x9f\xa6\x8a",
        b"\xed\xa0\x80",
        b"../..",
        b"1e999",
    ),
    *(b"[" * 40, b'{"a":' * 20, b"(" * 60, b"a" * 300, b"-1", b"state = ", b"input.x.map(a, a)", b"\x12\x00\x12\x00"),
)


@dataclass(slots=True)
class Flood:
    """What came of a flood."""

    #: Answers by the name of their code.
    codes: Counter[str] = field(default_factory=Counter)
    #: Requests that were answered as none should be, with what was said.
    wrong: list[str] = field(default_factory=list)


def requests() -> dict[str, list[bytes]]:
    """Give requests of each method that mean something, before they are damaged."""
    definitions = [
        to_definition(ECHO),
        to_definition(workflow("a > out", a=transform("input.n + 1"), out=output("nodes.a"))),
    ]
    executes = [v1.ExecuteRequest(execution_id=f"e{i}", definition=d) for i, d in enumerate(definitions)]
    executes[1].input.update({"n": 1, "list": [1, "a", None, {"b": True}]})
    executes.append(v1.ExecuteRequest(execution_id="w", workflow_id="w", labels={"a": "b"}, validate_only=True))
    execution = [v1.GetStatusRequest(execution_id=i) for i in ("done", "e1", "", "nobody")]
    found: dict[str, list[Any]] = {
        "Execute": executes,
        "ValidateWorkflow": [v1.ValidateWorkflowRequest(definition=d) for d in definitions],
        "CreateWorkflow": [v1.CreateWorkflowRequest(workflow_id="w", definition=d) for d in definitions],
        "Control": [
            v1.ControlRequest(execution_id="e1", stop=v1.StopAction(), reason="r", request_id="1"),
            v1.ControlRequest(execution_id="done", retry=v1.RetryAction()),
        ],
        "ListExecutions": [
            v1.ListExecutionsRequest(
                filter='state = COMPLETED AND labels.a = "b"', order_by="create_time desc", page_size=3
            )
        ],
        "ListLogs": [v1.ListLogsRequest(execution_id="done", page_size=2, page_token="WzFd")],
        "StreamLogs": [
            v1.StreamLogsRequest(execution_id="done", tail=2),
            v1.StreamLogsRequest(execution_id="e1", follow=True),
        ],
        "WatchExecution": [v1.WatchExecutionRequest(execution_id="done", include_tokens=True)],
    }
    return {
        method.name: [message.SerializeToString() for message in found.get(method.name, execution)]
        for method in METHODS
    }


def damaged(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """Change some bytes, or leave out, repeat, exchange or put in some."""
    out = bytearray(data)
    for _ in range(chance.choice((0, 1, 1, 1, 2, 3, 8))):
        at = chance.randrange(len(out) + 1)
        end = min(len(out), at + chance.choice((1, 1, 2, 4, 16)))
        match chance.randrange(6):
            case 0:
                out[at:end] = bytes(chance.randrange(256) for _ in range(end - at))
            case 1:
                del out[at:end]
            case 2:
                out[at:at] = out[at:end] * chance.choice((1, 2, 30))
            case 3:
                out[at:end] = chance.choice(SPICE)
            case 4:
                out[at:at] = chance.choice(SPICE)
            case _:
                begin = chance.randrange(len(other) + 1)
                out[at:end] = other[begin : begin + 40]
    return bytes(out)


async def flood(address: str, *, count: int, tokens: Sequence[str], seed: int) -> Flood:
    """Send so many requests.

    Args:
        tokens: credentials to show, right and wrong ones; empty: none.
        seed: the same one makes the same requests.
    """
    found = Flood()
    chance = random.Random(seed)
    good = requests()
    everything = [data for some in good.values() for data in some]
    numbers = iter(range(count))
    channels = [grpc.aio.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)]) for _ in range(4)]

    async def worker() -> None:
        for number in numbers:
            method = chance.choice(METHODS)
            request = damaged(chance.choice(good[method.name]), chance.choice(everything), chance)
            path = f"/{method.containing_service.full_name}/{method.name}"
            if chance.random() < 0.01:
                path = chance.choice(STRAY)
            token = chance.choice(tokens)
            shown = [("authorization", f"Bearer {token}")] if token else []
            code = await _call(channels[number % len(channels)], path, request, shown, method.server_streaming)
            found.codes[code.partition(":")[0]] += 1
            if code.startswith(("INTERNAL", "UNKNOWN", "DATA_LOSS", "HANGS", "NO REASON")):
                found.wrong.append(f"{path} {request!r} {code}")

    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
    await asyncio.gather(*(channel.close() for channel in channels))
    return found


async def _call(channel: Any, path: str, request: bytes, shown: list[tuple[str, str]], streaming: bool) -> str:
    """Send bytes; answers the name of the code, and what was said where that is not as it should be."""
    make = channel.unary_stream if streaming else channel.unary_unary
    calling = make(path)(request, metadata=shown, timeout=HANGS)
    try:
        if streaming:
            await calling.read()
        else:
            await calling
    except grpc.aio.AioRpcError as error:
        code = error.code()
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return f"HANGS: {error.details()}"
        if code is not grpc.StatusCode.UNIMPLEMENTED and not read(error).info.reason:
            return f"NO REASON: {code.name} {error.details()}"
        return f"{code.name}: {error.details()}"
    finally:
        calling.cancel()
    return "OK"
