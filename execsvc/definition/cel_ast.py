"""The compiled form of a CEL expression (``cel.expr.CheckedExpr``) as Python objects that can be read and rewritten.

No Python package carries this message, so the fields that are needed are declared here; the others survive a round
trip as unknown fields. Numbers and names are those of cel/expr/syntax.proto and cel/expr/checked.proto.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

#: A node of the syntax tree, ``cel.expr.Expr``.
Expr = Any
#: The whole, ``cel.expr.CheckedExpr``.
Checked = Any

_PACKAGE = "execsvc.cel"
_MESSAGES = {
    "Ident": "name:1:string",
    "Select": "operand:1:Expr field:2:string test_only:3:bool",
    "Call": "target:1:Expr function:2:string args:3:*Expr",
    "CreateList": "elements:1:*Expr",
    "Entry": "id:1:int64 map_key:3:Expr value:4:Expr",
    "CreateStruct": "message_name:1:string entries:2:*Entry",
    "Comprehension": (
        "iter_var:1:string iter_range:2:Expr accu_var:3:string accu_init:4:Expr "
        "loop_condition:5:Expr loop_step:6:Expr result:7:Expr"
    ),
    "Constant": "bool_value:2:?bool int64_value:3:?int64 double_value:5:?double string_value:6:?string",
    "Expr": (
        "id:2:int64 const_expr:3:?Constant ident_expr:4:?Ident select_expr:5:?Select call_expr:6:?Call "
        "list_expr:7:?CreateList struct_expr:8:?CreateStruct comprehension_expr:9:?Comprehension"
    ),
    "Type": "primitive:3:?int32 list_type:6:?Ident map_type:7:?Ident",
    "TypeEntry": "key:1:int64 value:2:Type",
    "Position": "key:1:int64 value:2:int32",
    "SourceInfo": "positions:4:*Position",
    "CheckedExpr": "type_map:3:*TypeEntry expr:4:Expr source_info:5:SourceInfo",
}
_SCALARS = {"string": 9, "bool": 8, "int64": 3, "int32": 5, "double": 1}

#: ``Type.primitive`` of the numbers.
INT, DOUBLE = 2, 4


def _message_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="execsvc/cel.proto", package=_PACKAGE, syntax="proto3")
    for name, spec in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for item in spec.split():
            field_name, number, kind = item.split(":")
            field: Any = message.field.add(name=field_name, number=int(number), label=3 if kind.startswith("*") else 1)
            if kind.startswith("?"):
                if not message.oneof_decl:
                    message.oneof_decl.add(name="kind")
                field.oneof_index = 0
            base = kind.lstrip("*?")
            if base in _SCALARS:
                field.type = _SCALARS[base]
            else:
                field.type = 11
                field.type_name = f".{_PACKAGE}.{base}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.CheckedExpr"))


_CheckedExpr = _message_class()


class TooDeep(Exception):
    """The expression is nested deeper than its serialized form allows."""


def read(serialized: bytes) -> Checked:
    """Parse what ``Expression.serialize()`` gives. Raises TooDeep past 100 levels of messages."""
    packed = any_pb2.Any.FromString(serialized)
    checked = _CheckedExpr()
    try:
        checked.ParseFromString(packed.value)
    except DecodeError as error:
        raise TooDeep from error
    return checked


def write(checked: Checked) -> bytes:
    """Give what ``Env.deserialize()`` takes."""
    packed = any_pb2.Any(type_url="type.googleapis.com/cel.expr.CheckedExpr")
    packed.value = checked.SerializeToString()
    return packed.SerializeToString()


def children(node: Expr) -> Iterator[Expr]:
    """Yield the direct parts of a node, in source order."""
    match node.WhichOneof("kind"):
        case "select_expr":
            yield node.select_expr.operand
        case "call_expr":
            if node.call_expr.HasField("target"):
                yield node.call_expr.target
            yield from node.call_expr.args
        case "list_expr":
            yield from node.list_expr.elements
        case "struct_expr":
            for entry in node.struct_expr.entries:
                if entry.HasField("map_key"):
                    yield entry.map_key
                yield entry.value
        case "comprehension_expr":
            loop = node.comprehension_expr
            yield from (loop.iter_range, loop.accu_init, loop.loop_condition, loop.loop_step, loop.result)


def walk(node: Expr) -> Iterator[Expr]:
    """Yield a node and all below it."""
    yield node
    for child in children(node):
        yield from walk(child)
