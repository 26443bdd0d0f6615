"""Read ``clients/scenarios``: what every client must do, as plain JSON with the shorthands written out."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[2] / "clients" / "scenarios"

#: Operations a step may have; beside one of them it may have what ``BESIDE`` names.
OPERATIONS = frozenset(
    """cancel connect create_workflow delete execute get get_workflow join lab list list_logs list_page list_workflows
    logs node_types pause resume retry server_info status stop until validate wait watch
    """.split()  # noqa: SIM905 (a word a line reads worse)
)
BESIDE = frozenset({"as", "background", "client", "error", "expect", "parallel", "repeat"})


class ScenarioError(Exception):
    """A scenario file cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenarios:
    """All that the files say."""

    #: Workflow definitions that steps name.
    definitions: dict[str, Any] = field(default_factory=dict)
    #: In the order of the files and in them.
    scenarios: list[dict[str, Any]] = field(default_factory=list)


def load(folder: Path = FOLDER, *, only: frozenset[str] = frozenset()) -> Scenarios:
    """Read all files of a folder, in the order of their names.

    Args:
        only: keep the scenarios with these names; empty: all.

    Raises:
        ScenarioError: a file is no YAML, or says something that no runner would understand; or a name is of none.
    """
    found = Scenarios()
    for path in sorted(folder.glob("*.yaml")):
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except yaml.YAMLError as error:
            raise ScenarioError(f"{path.name}: {error}") from error
        for name, definition in (content.get("definitions") or {}).items():
            if name in found.definitions:
                raise ScenarioError(f"{path.name}: there is another definition {name!r}")
            found.definitions[name] = expand(definition)
        for scenario in content.get("scenarios") or []:
            _check(path.name, scenario, found)
            found.scenarios.append(expand(scenario))
    if unknown := only - {scenario["name"] for scenario in found.scenarios}:
        raise ScenarioError(f"there is no scenario {', '.join(sorted(unknown))}")
    if only:
        found.scenarios[:] = [scenario for scenario in found.scenarios if scenario["name"] in only]
    return found


def expand(value: Any) -> Any:
    """Write ``$text`` and ``$repeat`` out, so that no runner needs to know them."""
    if isinstance(value, list):
        items: list[Any] = []
        for item in value:
            if isinstance(item, dict) and item.keys() == {"$repeat"}:
                rule = item["$repeat"]
                items += [expand(_numbered(rule["item"], number)) for number in range(rule["times"])]
            else:
                items.append(expand(item))
        return items
    if not isinstance(value, dict):
        return value
    if value.keys() == {"$text"}:
        rule = value["$text"]
        return rule.get("before", "") + rule["repeat"] * rule["times"] + rule.get("after", "")
    return {key: expand(item) for key, item in value.items()}


def _numbered(value: Any, number: int) -> Any:
    if isinstance(value, str):
        return value.replace("$#+1", str(number + 1)).replace("$#", str(number))
    if isinstance(value, list):
        return [_numbered(item, number) for item in value]
    if isinstance(value, dict):
        return {key: _numbered(item, number) for key, item in value.items()}
    return value


def has_own_server(scenario: dict[str, Any]) -> bool:
    """Whether a scenario starts a server of its own, which takes most of its time."""
    return any(step.get("lab", {}).get("path") == "/servers" for step in scenario["steps"])


def _check(file: str, scenario: dict[str, Any], found: Scenarios) -> None:
    name = scenario.get("name", "")
    if not name or not scenario.get("promise") or not scenario.get("steps"):
        raise ScenarioError(f"{file}: each scenario has a name, a promise and steps; {name or scenario} has not")
    if unknown := scenario.keys() - {"name", "promise", "alone", "steps"}:
        raise ScenarioError(f"{file}: {name!r} has {', '.join(sorted(unknown))}, which nobody reads")
    if any(other["name"] == name for other in found.scenarios):
        raise ScenarioError(f"{file}: there is another scenario {name!r}")
    for index, step in enumerate(scenario["steps"]):
        operations = step.keys() & OPERATIONS
        if len(operations) != 1 or step.keys() - OPERATIONS - BESIDE:
            raise ScenarioError(
                f"{file}: step {index} of {name!r} must have one operation and beside it only"
                f" {', '.join(sorted(BESIDE))}; it has {', '.join(map(str, step))}"
            )
        if "expect" in step and "error" in step:
            raise ScenarioError(f"{file}: step {index} of {name!r} expects both a result and an error")
