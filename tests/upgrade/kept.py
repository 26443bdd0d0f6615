"""Kept databases, one of each schema there was: where they are, what is in them, and how they are put back."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlite_utils import Database

from execsvc.store.postgres.migrations import STEPS as POSTGRES_STEPS
from execsvc.store.sqlite.migrations import missing_steps
from tests.servers.postgres import PostgresServer
from tests.support.processes import ROOT
from tests.support.workflows import node, output, workflow
from tests.upgrade import held_node

FOLDER: Final = Path(__file__).parent / "files"
#: By kind of database: the steps of its schema, oldest first.
STEPS: Final = {"sqlite": tuple(missing_steps(Database(memory=True))), "postgres": tuple(POSTGRES_STEPS)}

#: By execution id, which is the state that it is kept in: what its node ``work`` does on the server that made it.
WORK: Final = {
    "completed": "pass",
    "failed": "fail",
    "stopped": "hold",
    "paused": "pause",
    "running": "hold",
    "pending": "pass",
}


def definition(execution_id: str) -> dict[str, Any]:
    """What an execution runs: a node that is recorded before, one that does as it is told, and one after."""
    return workflow(
        "before > work > after > end",
        before=node("held", then="pass"),
        work=node("held", then=WORK[execution_id]),
        after=node("held", then="pass"),
        end=output("{'before': nodes.before, 'work': nodes.work, 'after': nodes.after, 'n': input.n}"),
    )


def given(execution_id: str) -> dict[str, Any]:
    """Its input."""
    return {"n": list(WORK).index(execution_id), "text": "größer ✓"}


def result(execution_id: str) -> dict[str, Any]:
    """Its output, once it has one."""
    nodes = {name: f"{name} of {execution_id}" for name in ("before", "work", "after")}
    return nodes | {"n": given(execution_id)["n"]}


@dataclass(frozen=True, slots=True)
class Kept:
    """A kept database: the newest step that its schema has."""

    kind: str
    step: str

    @property
    def database(self) -> Path:
        """The file, or the statements that make it, compressed."""
        return FOLDER / f"{self.kind}-{self.step}.{'db' if self.kind == 'sqlite' else 'sql'}.gz"

    @property
    def told(self) -> Path:
        """What the server that made it told of it."""
        return FOLDER / f"{self.kind}-{self.step}.json"

    def story(self) -> dict[str, Any]:
        """By execution: ``show`` and ``logs`` of it, as the server told them."""
        story: dict[str, Any] = json.loads(self.told.read_text(encoding="utf-8"))
        return story

    def put_back(self, folder: Path, postgres: PostgresServer | None) -> Path | str:
        """Make a database of it; answers its path, or its URL."""
        if self.kind == "sqlite":
            path = folder / "kept.db"
            with gzip.open(self.database) as packed, path.open("wb") as file:
                shutil.copyfileobj(packed, file)
            return path
        assert postgres is not None
        url = postgres.database()
        postgres.execute(gzip.decompress(self.database.read_bytes()).decode(), url.rpartition("/")[2])
        return url


def all_kept() -> list[Kept]:
    """Those there are to be: one of each step of each kind of database."""
    return [Kept(kind, step) for kind, steps in STEPS.items() for step in steps]


def install(folder: Path, code: Path = ROOT) -> dict[str, str]:
    """Make the node type known to servers with ``--plugin held``; answers what their environment needs.

    Args:
        code: the checkout that they run.
    """
    about = folder / "execsvc_held-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: execsvc-held\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[execsvc.nodes]\nheld = execsvc_held_node:held\n")
    shutil.copy(Path(held_node.__file__), folder / "execsvc_held_node.py")
    paths = [str(folder), str(code), str(code / "clients" / "python" / "src")]
    return {"PYTHONPATH": os.pathsep.join(paths), held_node.RUNS: str(folder / "runs")}


def runs(folder: Path) -> Counter[str]:
    """How often each node has begun to run, by ``execution/node``."""
    path = folder / "runs"
    return Counter(path.read_text(encoding="utf-8").splitlines()) if path.exists() else Counter()
