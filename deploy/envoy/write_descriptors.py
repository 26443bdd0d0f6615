"""Write what Envoy must know of the API to turn JSON into gRPC and back: a file of descriptors.

Run with the Python that has execsvc installed: ``python write_descriptors.py execsvc.pb``. Again after an upgrade.
"""

from __future__ import annotations

import sys
from pathlib import Path

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.rpc import error_details_pb2

from execsvc_client import v1


def descriptors() -> FileDescriptorSet:
    """Return the API, the details its errors carry, and all they need, each file after what it imports."""
    found: dict[str, FileDescriptor] = {}

    def add(file: FileDescriptor) -> None:
        for dependency in file.dependencies:
            add(dependency)
        found.setdefault(file.name, file)

    for message in (v1.ExecuteRequest, v1.ValidateWorkflowRequest, v1.GetServerInfoRequest):
        add(message.DESCRIPTOR.file)
    add(error_details_pb2.DESCRIPTOR)
    described = FileDescriptorSet()
    for file in found.values():
        described.file.add().ParseFromString(file.serialized_pb)
    return described


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} FILE")
    Path(sys.argv[1]).write_bytes(descriptors().SerializeToString())
