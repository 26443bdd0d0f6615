"""The generator plugin: what it writes imports, pickles and type-checks below any root package."""

import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto

from tools import protoc_gen_execsvc as plugin

PLUGIN = Path(plugin.__file__)
ROOT = "acme_client._gen"


@pytest.fixture
def request_() -> CodeGeneratorRequest:
    """Ask for two files of package acme.v1: one message, and a service that uses it."""
    thing = FileDescriptorProto(name="acme/v1/thing.proto", package="acme.v1", syntax="proto3")
    thing.message_type.add(name="Thing").field.add(
        name="name", number=1, type=FieldDescriptorProto.TYPE_STRING, label=FieldDescriptorProto.LABEL_OPTIONAL
    )
    service = FileDescriptorProto(
        name="acme/v1/service.proto", package="acme.v1", syntax="proto3", dependency=["acme/v1/thing.proto"]
    )
    service.message_type.add(name="Box").field.add(
        name="thing",
        number=1,
        type=FieldDescriptorProto.TYPE_MESSAGE,
        type_name=".acme.v1.Thing",
        label=FieldDescriptorProto.LABEL_OPTIONAL,
    )
    service.service.add(name="Things").method.add(
        name="Watch", input_type=".acme.v1.Thing", output_type=".acme.v1.Box", server_streaming=True
    )
    return CodeGeneratorRequest(
        file_to_generate=[thing.name, service.name], proto_file=[thing, service], parameter=f"root={ROOT}"
    )


def _answer(request: CodeGeneratorRequest) -> CodeGeneratorResponse:
    done = subprocess.run(
        [sys.executable, str(PLUGIN)], input=request.SerializeToString(), capture_output=True, check=True
    )
    return CodeGeneratorResponse.FromString(done.stdout)


def test_generated_messages_import_and_pickle_below_the_root_package(
    request_: CodeGeneratorRequest, tmp_path: Path
) -> None:
    for file in _answer(request_).file:
        path = tmp_path / "acme_client" / "_gen" / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.content, encoding="utf-8")
    program = (
        "import pickle\n"
        f"from {ROOT}.acme.v1 import service_pb2, service_pb2_grpc, thing_pb2\n"
        "box = service_pb2.Box(thing=thing_pb2.Thing(name='a'))\n"
        "assert pickle.loads(pickle.dumps(box)) == box\n"
        "print(type(box).__module__, service_pb2_grpc.ThingsServicer.__module__)\n"
    )

    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.stderr == ""
    assert done.stdout.split() == [f"{ROOT}.acme.v1.service_pb2", f"{ROOT}.acme.v1.service_pb2_grpc"]


def test_nothing_generated_still_names_the_bare_proto_package(request_: CodeGeneratorRequest) -> None:
    files = plugin.generate(request_, ROOT)

    bare = [
        (name, line)
        for name, text in files.items()
        for line in text.splitlines()
        if line.startswith(("from acme", "import acme")) and not line.startswith(f"from {ROOT}.acme.v1 import ")
    ]
    assert bare == []


def test_a_file_without_services_gets_no_grpc_module(request_: CodeGeneratorRequest) -> None:
    assert sorted(plugin.generate(request_, ROOT)) == [
        "__init__.py",
        "acme/__init__.py",
        "acme/v1/__init__.py",
        "acme/v1/service_pb2.py",
        "acme/v1/service_pb2.pyi",
        "acme/v1/service_pb2_grpc.py",
        "acme/v1/service_pb2_grpc.pyi",
        "acme/v1/thing_pb2.py",
        "acme/v1/thing_pb2.pyi",
    ]


@pytest.mark.parametrize("parameter", ["", "root=", "root=a.b,colour=red"])
def test_other_options_than_root_are_refused_by_name(request_: CodeGeneratorRequest, parameter: str) -> None:
    request_.parameter = parameter

    answer = _answer(request_)

    assert repr(parameter) in answer.error
    assert not answer.file
