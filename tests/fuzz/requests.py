"""Hypothesis strategies for requests: any message of any descriptor, with texts that come close to what is meant."""

from __future__ import annotations

import base64
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.struct_pb2 import Value
from hypothesis import strategies as st

from tests.unit.definition.test_any_definition import CEL, MUSTACHE, TEXTS

#: Messages inside messages.
DEPTH: Final = 5

IDS = st.one_of(st.sampled_from(["done", "waits", "failed", "gone", "a", "b", "", "a b", "é", "x" * 129]), TEXTS)
FILTER_PIECES: Final = """
state = COMPLETED FAILED != < <= > >= : AND OR NOT ( ) workflow_id execution_id create_time end_time priority labels.a
labels."a b" "2026-01-31T00:00:00Z" 5 -5 1e9 "x" 'y' * . , - "" "\\" 99999999999999999999 null true state= "2026-13-31"
"""
FILTERS = st.one_of(st.lists(st.sampled_from(FILTER_PIECES.split()), max_size=9).map(" ".join), st.text(max_size=30))
ORDERS = st.one_of(st.sampled_from(["create_time", "end_time desc", "create_time  desc", "desc", "end_time,"]), TEXTS)
TOKENS = st.one_of(
    TEXTS,
    st.binary(max_size=40).map(lambda raw: base64.urlsafe_b64encode(raw).decode().rstrip("=")),
    st.sampled_from(['[1,"x"]', "[]", '["a",1]', '["a",99999999999999999999,1]', '["a",1e400]']).map(
        lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
    ),
)
MODELS = st.sampled_from(["echo:", "echo:x", "nobody:x", ":", "", "echo", "é:"])
#: By the name of the field; every other text is one of TEXTS.
BY_NAME: Final[dict[str, st.SearchStrategy[str]]] = {
    "execution_id": IDS,
    "workflow_id": IDS,
    "id": IDS,
    "source": IDS,
    "target": IDS,
    "node_id": IDS,
    "filter": FILTERS,
    "order_by": ORDERS,
    "page_token": TOKENS,
    "expression": CEL,
    "prompt": MUSTACHE,
    "system": MUSTACHE,
    "content": MUSTACHE,
    "model": MODELS,
    "json": CEL,
    "body": MUSTACHE,
    "method": st.sampled_from(["", "GET", "POST", "post", "\r\n"]),
    # Nothing may leave the machine.
    "url": st.sampled_from(
        [
            "",
            "x",
            "http://127.0.0.1:1",
            "http://[::1]:1/{{input.a}}?{{#input.l}}a={{.}}{{/input.l}}",
            "http://10.0.0.1/",
        ]
    ),
    "base_url": st.sampled_from(
        [
            "",
            "x",
            "http://",
            "http://127.0.0.1:1/v1",
            "http://[::1]:1",
            "http://10.0.0.1",
            "https://a:1/",
            "http://[",
            "ftp://127.0.0.1",
        ]
    ),
}
_RANGES: Final = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
}
JSON: Final = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(), st.integers(-(2**53), 2**53).map(float), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=10,
)


@st.composite
def messages(draw: st.DrawFn, descriptor: Descriptor, depth: int = 0) -> Any:
    """Any message of a type."""
    message = GetMessageClass(descriptor)()
    if descriptor.full_name.startswith("google.protobuf.") and descriptor.name in ("Struct", "Value", "ListValue"):
        _fill_json(message, draw(JSON))
        return message
    fields = list(descriptor.fields)
    for field in draw(st.lists(st.sampled_from(fields), max_size=5, unique_by=id)) if fields else ():
        if field.message_type is not None and depth >= DEPTH:
            continue
        _fill(draw, message, field, depth)
    return message


def _fill(draw: st.DrawFn, message: Message, field: FieldDescriptor, depth: int) -> None:
    here = getattr(message, field.name)
    kind = field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        value = kind.fields_by_name["value"]
        for key in draw(st.lists(st.one_of(IDS, TEXTS).filter(_is_text), max_size=3)):
            if value.message_type is None:
                here[key] = draw(_scalar(value))
    elif field.is_repeated and kind is not None:
        here.extend(draw(st.lists(messages(kind, depth + 1), max_size=3)))
    elif field.is_repeated:
        here.extend(draw(st.lists(_scalar(field), max_size=3)))
    elif kind is not None:
        here.CopyFrom(draw(messages(kind, depth + 1)))
        here.SetInParent()
    else:
        setattr(message, field.name, draw(_scalar(field)))


def _scalar(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    match field.type:
        case FieldDescriptor.TYPE_STRING:
            return BY_NAME.get(field.name, TEXTS).filter(_is_text)
        case FieldDescriptor.TYPE_BYTES:
            return st.binary(max_size=20)
        case FieldDescriptor.TYPE_BOOL:
            return st.booleans()
        case FieldDescriptor.TYPE_DOUBLE | FieldDescriptor.TYPE_FLOAT:
            return st.floats(width=32)
        case FieldDescriptor.TYPE_ENUM:
            return st.one_of(st.sampled_from([v.number for v in field.enum_type.values]), st.integers(0, 99))
    low, high = _RANGES[field.type]
    return st.one_of(st.integers(low, high), st.sampled_from([0, 1, low, high]))


def _is_text(value: str) -> bool:
    # Half an emoji cannot even be put into a message.
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


def _fill_json(message: Any, value: Any) -> None:
    if not isinstance(message, Value):
        # A Struct or ListValue: whatever fits into it.
        if message.DESCRIPTOR.name == "Struct":
            for key, inner in (value if isinstance(value, dict) else {"a": value}).items():
                if _is_text(key):
                    _fill_json(message.fields[key], inner)
        else:
            for inner in value if isinstance(value, list) else [value]:
                _fill_json(message.values.add(), inner)
        return
    match value:
        case None:
            message.null_value = 0
        case bool():
            message.bool_value = value
        case float():
            message.number_value = value
        case str():
            message.string_value = value if _is_text(value) else ""
        case list():
            message.list_value.SetInParent()
            _fill_json(message.list_value, value)
        case _:
            message.struct_value.SetInParent()
            for key, inner in value.items():
                if _is_text(key):
                    _fill_json(message.struct_value.fields[key], inner)


@st.composite
def damaged(draw: st.DrawFn, descriptor: Descriptor) -> bytes:
    """A message's bytes with a few of them changed, taken out or put in."""
    raw = bytearray(draw(messages(descriptor)).SerializeToString())
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(raw)))
        match draw(st.sampled_from(["change", "cut", "insert", "repeat"])):
            case "change" if at < len(raw):
                raw[at] = draw(st.integers(0, 255))
            case "cut":
                del raw[at : at + draw(st.integers(1, 8))]
            case "insert":
                raw[at:at] = draw(st.binary(min_size=1, max_size=8))
            case _:
                raw += raw[at : at + 20]
    return bytes(raw)
