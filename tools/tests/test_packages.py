"""The two distributions agree, and the public API module offers all that is generated."""

import ast
import re
import tomllib
from pathlib import Path

import execsvc
from execsvc_client import v1

REPO = Path(__file__).parents[2]
GENERATED = REPO / "clients/python/src/execsvc_client/_gen/execsvc/v1"
#: What generated stubs hold for themselves.
PRIVATE = re.compile(r"_|Global___|GRPC_(GENERATED_)?VERSION$|DESCRIPTOR$|\w+AsyncStub$")


def _project(path: str) -> dict[str, str]:
    return dict(tomllib.loads((REPO / path).read_text(encoding="utf-8"))["project"])


def _names(stub: Path) -> set[str]:
    body = ast.parse(stub.read_text(encoding="utf-8")).body
    defined = {node.name for node in body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    declared = {
        node.target.id for node in body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    return {name for name in defined | declared if not PRIVATE.match(name)}


def test_server_and_client_have_the_same_version() -> None:
    assert _project("clients/python/pyproject.toml")["version"] == execsvc.__version__


def test_v1_offers_every_public_name_of_the_generated_modules() -> None:
    generated = {name for stub in GENERATED.glob("*.pyi") for name in _names(stub)}

    assert set(v1.__all__) == generated
    assert [name for name in v1.__all__ if not hasattr(v1, name)] == []


def test_lock_files_name_no_address() -> None:
    for lock in REPO.glob("requirements/*.lock"):
        assert "://" not in lock.read_text(encoding="utf-8"), lock.name
