"""Whatever arrives at any RPC is answered or refused with a reason: no INTERNAL, no crash, no hang.

``EXECSVC_FUZZ=N`` makes N tries of each kind instead of a few.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any, Final

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pool import Default
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from execsvc.rpc.server import SERVICES
from execsvc.service import Changes
from tests.fuzz.conftest import Target
from tests.fuzz.requests import FILTERS, IDS, ORDERS, TOKENS, damaged, messages
from tests.support.statuses import read

EXAMPLES: Final = int(os.environ.get("EXECSVC_FUZZ", "25"))
#: Seconds after which a call hangs.
HANGS: Final = 20.0
#: Responses of a stream that are read.
RESPONSES: Final = 3

FUZZ = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    print_blob=True,
)
METHODS: Final[list[MethodDescriptor]] = [
    method for service in SERVICES for method in Default().FindServiceByName(service).methods
]
PAGED: Final = [method for method in METHODS if "page_token" in method.input_type.fields_by_name]


def name_of(method: MethodDescriptor) -> str:
    return f"/{method.containing_service.full_name}/{method.name}"


def call(target: Target, method: MethodDescriptor, request: bytes) -> Any:
    """Send bytes; answers the (first) response, or None for a refusal that is as it should be."""

    async def made() -> Any:
        channel = target.channel
        make = channel.unary_stream if method.server_streaming else channel.unary_unary
        answer = GetMessageClass(method.output_type)
        calling = make(name_of(method), request_serializer=bytes, response_deserializer=answer.FromString)(request)
        try:
            async with asyncio.timeout(HANGS):
                if not method.server_streaming:
                    return await calling
                responses = []
                async for response in calling:
                    responses.append(response)
                    if len(responses) == RESPONSES:
                        break
                return responses[0] if responses else None
        except TimeoutError:
            raise AssertionError(f"{name_of(method)} hangs on {request!r}") from None
        except grpc.aio.AioRpcError as error:
            refused = error
        finally:
            calling.cancel()
        assert refused.code() not in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN), refused.details()
        assert read(refused).info.reason
        return None

    return target.run(made())


def still_serves(target: Target) -> None:
    target.run(target.make_done())


def test_every_method_is_there() -> None:
    assert len(METHODS) >= 14
    assert {method.name for method in PAGED} >= {"ListLogs", "ListExecutions", "ListWorkflows"}


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
@FUZZ
@given(data=st.data())
def test_any_bytes(target: Target, method: MethodDescriptor, data: st.DataObject) -> None:
    call(target, method, data.draw(st.one_of(st.binary(max_size=200), damaged(method.input_type))))
    still_serves(target)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
@FUZZ
@given(data=st.data())
def test_any_message(target: Target, method: MethodDescriptor, data: st.DataObject) -> None:
    message = data.draw(messages(method.input_type))
    call(target, method, message.SerializeToString())
    still_serves(target)


@pytest.mark.parametrize("method", PAGED, ids=lambda method: method.name)
@FUZZ
@given(data=st.data())
def test_any_page_token_filter_and_order(target: Target, method: MethodDescriptor, data: st.DataObject) -> None:
    message = GetMessageClass(method.input_type)()
    choices = {"execution_id": st.just("done"), "page_token": TOKENS, "filter": FILTERS, "order_by": ORDERS}
    for field, values in choices.items():
        if field in method.input_type.fields_by_name and data.draw(st.booleans()):
            setattr(message, field, data.draw(values))
    call(target, method, message.SerializeToString())
    # A token of the server's own, damaged.
    message.Clear()
    if "execution_id" in method.input_type.fields_by_name:
        message.execution_id = "done"
    message.page_size = 1
    answered = call(target, method, message.SerializeToString())
    if answered is not None and answered.next_page_token:
        token = bytearray(answered.next_page_token.encode())
        token[data.draw(st.integers(0, len(token) - 1))] = data.draw(st.integers(33, 126))
        message.page_token = token.decode()
        call(target, method, message.SerializeToString())
    still_serves(target)


@FUZZ
@given(execution_id=IDS, after=st.integers(-(2**63), 2**63 - 1), tail=st.integers(-(2**31), 2**31 - 1))
def test_any_cursor(target: Target, execution_id: str, after: int, tail: int) -> None:
    stream = next(method for method in METHODS if method.name == "StreamLogs")
    message = GetMessageClass(stream.input_type)(after_sequence=after, tail=tail)
    message.execution_id = execution_id if execution_id.isascii() else "done"
    call(target, stream, message.SerializeToString())


def test_nothing_is_left_of_the_streams(target: Target, made: list[Changes]) -> None:
    async def none_left() -> None:
        async with asyncio.timeout(HANGS):
            while made[-1].subscribers:
                await target.make_done()

    target.run(none_left())
