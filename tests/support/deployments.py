"""The files of deploy/ as tests read them: what each sets for a server, and how long one has that is to stop."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dockerfile
import jsonpatch
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """How one of the files runs ``execsvc serve``."""

    name: str
    #: Words after ``execsvc``.
    command: tuple[str, ...]
    environment: dict[str, str]
    #: Seconds from the request to stop until it is killed, and those of them that pass before it hears of it.
    patience: float
    before: float = 0.0


def documents(path: Path) -> list[Any]:
    """The documents of a YAML file."""
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def variables(path: Path, *, commented: bool = False) -> dict[str, str]:
    """The lines ``NAME=value`` of a file, also those that are commented out if they are asked for."""
    marks = "#?" if commented else ""
    return dict(re.findall(rf"^{marks}([A-Z_]+)=(.*)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE))


def unit(*paths: Path) -> dict[str, list[str]]:
    """The settings of systemd files by ``Section.Name``, each with all its values."""
    found: dict[str, list[str]] = {}
    for path in paths:
        # Names may stand several times there, so each line is a file of its own to configparser.
        section = ""
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("["):
                section = line
            elif line and not line.startswith("#"):
                parsed = configparser.RawConfigParser(delimiters=("=",), strict=True)
                parsed.optionxform = str  # type: ignore[method-assign,assignment]
                parsed.read_string(f"{section}\n{line}\n")
                for name in parsed.sections():
                    for key, value in parsed.items(name):
                        found.setdefault(f"{name}.{key}", []).append(value)
    return found


def systemd(*drop_ins: str) -> Deployment:
    """The unit, with drop-ins."""
    read = unit(DEPLOY / "systemd/execsvc.service", *(DEPLOY / "systemd" / name for name in drop_ins))
    [start] = read["Service.ExecStart"]
    return Deployment(
        name=" ".join(("systemd", *drop_ins)),
        command=tuple(start.split()[1:]),
        environment=dict(line.split("=", 1) for line in read["Service.Environment"]),
        patience=float(read["Service.TimeoutStopSec"][-1]),
    )


def image() -> list[dockerfile.Command]:
    """The instructions of the Containerfile."""
    return list(dockerfile.parse_file(str(DEPLOY / "Containerfile")))


def image_environment() -> dict[str, str]:
    """The variables of every container."""
    values = [value for command in image() if command.cmd.upper() == "ENV" for value in command.value]
    return dict(zip(values[::2], values[1::2], strict=True))


def image_command() -> tuple[str, ...]:
    """The words after ``execsvc`` where nobody says others."""
    [command] = [command for command in image() if command.cmd.upper() == "CMD"]
    return tuple(command.value)


def compose() -> Iterator[Deployment]:
    """The servers of the compose file."""
    for name, service in documents(DEPLOY / "compose/compose.yaml")[0]["services"].items():
        if service["image"] == "execsvc":
            yield Deployment(
                name=f"compose {name}",
                command=tuple(service.get("command", image_command())),
                environment=image_environment() | service["environment"],
                patience=float(service["stop_grace_period"].removesuffix("s")),
            )


def manifests(overlay: str) -> list[Any]:
    """The Kubernetes objects of ``base`` or ``mesh``, as kustomize makes them but for names and order."""
    folder = KUBERNETES / overlay
    [wanted] = documents(folder / "kustomization.yaml")
    found: list[Any] = []
    for resource in wanted["resources"]:
        path = folder / resource
        found += documents(path) if path.is_file() else manifests(path.resolve().name)
    for patch in wanted.get("patches", ()):
        [operations] = documents(folder / patch["path"])
        for place, manifest in enumerate(found):
            if (manifest["kind"], manifest["metadata"]["name"]) == tuple(patch["target"].values()):
                found[place] = jsonpatch.apply_patch(manifest, operations)
    return found


def settings(overlay: str) -> dict[str, str]:
    """What the generated ConfigMap of ``base`` or ``mesh`` holds."""
    found: dict[str, str] = {}
    [wanted] = documents(KUBERNETES / overlay / "kustomization.yaml")
    for resource in wanted["resources"]:
        if (KUBERNETES / overlay / resource).is_dir():
            found |= settings(Path(resource).name)
    [generator] = wanted["configMapGenerator"]
    for name in generator["envs"]:
        found |= variables(KUBERNETES / overlay / name)
    return found


def only(overlay: str, kind: str) -> Any:
    """The one object of a kind."""
    [found] = [manifest for manifest in manifests(overlay) if manifest["kind"] == kind]
    return found


def kubernetes(overlay: str) -> Deployment:
    """The container of ``base`` or ``mesh``, with the URL of the example's secret."""
    pod = only(overlay, "Deployment")["spec"]["template"]["spec"]
    [container] = pod["containers"]
    secrets = {secret["metadata"]["name"]: secret["stringData"] for secret in secrets_example()}
    keys = {entry["name"]: entry["valueFrom"]["secretKeyRef"] for entry in container["env"]}
    return Deployment(
        name=f"kubernetes {overlay}",
        command=tuple(container["args"]),
        environment=image_environment()
        | settings(overlay)
        | {name: secrets[key["name"]][key["key"]] for name, key in keys.items()},
        patience=float(pod["terminationGracePeriodSeconds"]),
        before=float(container["lifecycle"]["preStop"]["sleep"]["seconds"]),
    )


def secrets_example() -> list[Any]:
    """The secrets that the deployment reads."""
    return documents(KUBERNETES / "secrets.example.yaml")


def all_deployments() -> list[Deployment]:
    """Every way in which the files run a server."""
    return [systemd(), systemd("tls.conf"), *compose(), kubernetes("base"), kubernetes("mesh")]
