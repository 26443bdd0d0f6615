"""Write the bill of materials of server and clients, as CycloneDX JSON: ``python -m tools.sbom FILE``.

It is made of the lock files alone, so that the same locks give the same bill: no time, and a serial number that is
theirs.
"""

# The library makes its classes with a decorator that pyright does not see through; mypy does.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false

from __future__ import annotations

import argparse
import uuid
from pathlib import Path
from typing import Final

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component as BomComponent
from cyclonedx.model.component import ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from execsvc import __version__
from tools.components import Component, components
from tools.licences import Licences

_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "urn:execsvc:sbom")


def main(arguments: list[str] | None = None) -> None:
    """Write it."""
    parser = argparse.ArgumentParser(prog="python -m tools.sbom", description=__doc__)
    parser.add_argument("file", type=Path)
    path: Path = parser.parse_args(arguments).file
    path.parent.mkdir(parents=True, exist_ok=True)
    found = components()
    path.write_text(bill(found) + "\n", encoding="utf-8")
    print(f"{path}: {len(found)} components")


def bill(found: list[Component]) -> str:
    """Make the bill of these."""
    licences, factory = Licences.read(), LicenseFactory()
    product = BomComponent(name="execsvc", version=__version__, type=ComponentType.APPLICATION, bom_ref="execsvc")
    bom = Bom(serial_number=uuid.uuid5(_NAMESPACE, " ".join(one.purl for one in found)))
    bom.metadata.timestamp = None  # type: ignore[assignment]
    bom.metadata.component = product
    made = [
        BomComponent(
            name=one.name,
            version=one.version,
            type=ComponentType.LIBRARY,
            bom_ref=one.purl,
            purl=PackageURL.from_string(one.purl),
            licenses=[factory.make_from_string(licences.of[one.language][one.name])],
            properties=[
                Property(name="execsvc:part", value=one.part),
                # Of an artifact for each system there is one: the lock names them all.
                *(Property(name="execsvc:sha256", value=digest) for digest in one.hashes if len(one.hashes) > 1),
            ],
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=one.hashes[0])] if len(one.hashes) == 1 else [],
        )
        for one in found
    ]
    for component in made:
        bom.components.add(component)
    bom.register_dependency(product, made)
    return JsonV1Dot6(bom).output_as_string(indent=1)


if __name__ == "__main__":
    main()
