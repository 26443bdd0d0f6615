"""The page of the gRPC API: services, methods, messages and enums, with the comments of the protos."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import google.protobuf
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodOptions,
    ServiceDescriptorProto,
)
from grpc_tools import protoc

from tools.docs.markdown import NOTICE, code, escape, table

#: Field numbers of descriptor.proto, of which the paths of comments are made.
_MESSAGES: Final = FileDescriptorProto.MESSAGE_TYPE_FIELD_NUMBER
_ENUMS: Final = FileDescriptorProto.ENUM_TYPE_FIELD_NUMBER
_SERVICES: Final = FileDescriptorProto.SERVICE_FIELD_NUMBER
_METHODS: Final = ServiceDescriptorProto.METHOD_FIELD_NUMBER
_FIELDS: Final = DescriptorProto.FIELD_FIELD_NUMBER
_NESTED: Final = DescriptorProto.NESTED_TYPE_FIELD_NUMBER
_NESTED_ENUMS: Final = DescriptorProto.ENUM_TYPE_FIELD_NUMBER
_ONEOFS: Final = DescriptorProto.ONEOF_DECL_FIELD_NUMBER
_VALUES: Final = EnumDescriptorProto.VALUE_FIELD_NUMBER

_INTRODUCTION = """
The gRPC API as the protos in `protos/execsvc/v1` define it. A running server answers reflection, so `buf curl` and
`grpcurl` can list and call all of it. [Clients](clients.md) has the libraries, [Errors](errors.md) the reasons of
refusals, [Semantics](semantics.md) the exact rules. Times, durations and JSON values are
[well-known types](https://protobuf.dev/reference/protobuf/google.protobuf/).
"""


def render(protos: Path) -> str:
    """Write the page.

    Args:
        protos: folder that the protos' own names are relative to.

    Raises:
        ValueError: protoc refuses them; its own words are on stderr.
    """
    files = [_File(file) for file in describe(protos).file]
    messages = [(name, text) for file in files for name, text in file.messages()]
    parts = ["# API reference", NOTICE.format(source="the comments of the protos"), _INTRODUCTION.strip()]
    parts += ["## Services", *(text for file in files for text in file.services())]
    parts += ["## Messages", *(text for _, text in sorted(messages))]
    parts += ["## Enums", *(text for _, text in sorted(entry for file in files for entry in file.enums()))]
    return "\n\n".join(parts) + "\n"


def describe(protos: Path) -> FileDescriptorSet:
    """Compile all protos below a folder, comments included. Raises ValueError where protoc refuses one."""
    names = sorted(path.relative_to(protos).as_posix() for path in protos.rglob("*.proto"))
    well_known = Path(google.protobuf.__file__).parents[2]
    bundled = Path(protoc.__file__).parent / "_proto"
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch, "descriptors.binpb")
        status = protoc.main(
            [
                "protoc",
                *(f"--proto_path={folder}" for folder in (protos, bundled, well_known)),
                "--include_source_info",
                f"--descriptor_set_out={out}",
                *names,
            ]
        )
        if status:
            raise ValueError("protoc refused the protos; its message is above")
        return FileDescriptorSet.FromString(out.read_bytes())


class _File:
    """One proto file, and the comments at each path in it."""

    def __init__(self, file: FileDescriptorProto) -> None:
        self._file = file
        self._comments = {
            tuple(location.path): (location.leading_comments or location.trailing_comments).strip()
            for location in file.source_code_info.location
        }

    def services(self) -> Iterator[str]:
        """Text of each service."""
        for i, service in enumerate(self._file.service):
            yield f"### {service.name}\n\n{self._comment(_SERVICES, i)}"
            for j, method in enumerate(service.method):
                comment = self._comment(_SERVICES, i, _METHODS, j)
                question, answer = (self._type(name) for name in (method.input_type, method.output_type))
                asked = f"{'stream of ' if method.client_streaming else ''}{question}"
                answered = f"{'stream of ' if method.server_streaming else ''}{answer}"
                safe = method.options.idempotency_level == MethodOptions.NO_SIDE_EFFECTS
                note = ". Reads only" if safe else ""
                yield f"#### {method.name}\n\n{asked} → {answered}{note}\n\n{comment}"

    def messages(self) -> Iterator[tuple[str, str]]:
        """Name and text of each message, nested ones too, without the entries of maps."""
        for i, message in enumerate(self._file.message_type):
            yield from self._messages(message, "", (_MESSAGES, i))

    def enums(self) -> Iterator[tuple[str, str]]:
        """Name and text of each enum, nested ones too."""
        for i, enum in enumerate(self._file.enum_type):
            yield self._enum(enum, "", (_ENUMS, i))
        for i, message in enumerate(self._file.message_type):
            yield from self._nested_enums(message, message.name, (_MESSAGES, i))

    def _nested_enums(self, message: DescriptorProto, name: str, path: tuple[int, ...]) -> Iterator[tuple[str, str]]:
        for j, enum in enumerate(message.enum_type):
            yield self._enum(enum, f"{name}.", (*path, _NESTED_ENUMS, j))
        for j, nested in enumerate(message.nested_type):
            yield from self._nested_enums(nested, f"{name}.{nested.name}", (*path, _NESTED, j))

    def _messages(self, message: DescriptorProto, outer: str, path: tuple[int, ...]) -> Iterator[tuple[str, str]]:
        if message.options.map_entry:
            return
        name = f"{outer}{message.name}"
        parts = [f"### {name}", self._comment(*path)]
        if message.field:
            parts.append(table(("field", "type", ""), self._fields(message, path)))
        for i, oneof in enumerate(message.oneof_decl):
            members = [field for field in message.field if field.HasField("oneof_index") and field.oneof_index == i]
            if not members[0].proto3_optional:
                names = ", ".join(code(field.name) for field in members)
                parts.append(f"`{oneof.name}` is one of {names}. {self._comment(*path, _ONEOFS, i)}".strip())
        yield name, "\n\n".join(parts)
        for i, nested in enumerate(message.nested_type):
            yield from self._messages(nested, f"{name}.", (*path, _NESTED, i))

    def _fields(self, message: DescriptorProto, path: tuple[int, ...]) -> Iterator[Sequence[str]]:
        maps = {nested.name: nested for nested in message.nested_type if nested.options.map_entry}
        for i, field in enumerate(message.field):
            entry = maps.get(field.type_name.rpartition(".")[2])
            if entry is not None:
                kind = f"map of {_scalar(entry.field[0])} to {self._field_type(entry.field[1])}"
            elif field.label == FieldDescriptorProto.LABEL_REPEATED:
                kind = f"repeated {self._field_type(field)}"
            else:
                kind = f"{'optional ' if field.proto3_optional else ''}{self._field_type(field)}"
            yield code(field.name), kind, self._comment(*path, _FIELDS, i)

    def _enum(self, enum: EnumDescriptorProto, outer: str, path: tuple[int, ...]) -> tuple[str, str]:
        name = f"{outer}{enum.name}"
        rows = [
            (code(value.name), str(value.number), self._comment(*path, _VALUES, i))
            for i, value in enumerate(enum.value)
        ]
        return name, "\n\n".join([f"### {name}", self._comment(*path), table(("value", "number", ""), rows)])

    def _field_type(self, field: FieldDescriptorProto) -> str:
        return self._type(field.type_name) if field.type_name else _scalar(field)

    def _type(self, name: str) -> str:
        local = name.removeprefix(f".{self._file.package}.")
        return code(name.removeprefix(".")) if local == name else f"[{local}](#{_anchor(local)})"

    def _comment(self, *path: int) -> str:
        text = self._comments.get(path, "")
        return _paragraphs(line.removeprefix(" ").rstrip() for line in text.splitlines())


def _paragraphs(lines: Iterable[str]) -> str:
    return escape("\n".join(lines).strip())


def _scalar(field: FieldDescriptorProto) -> str:
    return code(FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower())


def _anchor(name: str) -> str:
    return name.lower().replace(".", "")
