"""The table of roles: complete, closed where it says nothing, and documented as it is."""

from __future__ import annotations

import re

from google.protobuf.descriptor_pool import Default

from execsvc.model import Role
from execsvc.rpc.roles import RULES, least_role
from execsvc.rpc.server import SERVICES
from execsvc_client import v1
from tests.support.pages import DOCS


def test_every_method_of_the_api_has_a_rule_and_every_rule_a_method() -> None:
    services = {f"execsvc.v1.{name.removesuffix('Servicer')}" for name in vars(v1) if name.endswith("Servicer")}
    assert services == set(SERVICES)
    for service in SERVICES:
        methods = {method.name for method in Default().FindServiceByName(service).methods}
        assert methods == set(RULES[service]), f"give each method of {service} its least role"
        assert None not in RULES[service].values(), "nothing of the API is open to everybody"


def test_what_has_no_rule_is_for_administrators() -> None:
    assert least_role("/execsvc.v1.ExecutionService/GetStatus") is Role.READER
    assert least_role("/execsvc.v1.ExecutionService/SomethingNew") is Role.ADMIN
    assert least_role("/somebody.else/Anything") is Role.ADMIN
    assert least_role("/grpc.health.v1.Health/Check") is None


def test_reading_changes_nothing_and_what_changes_something_takes_more() -> None:
    readers = {method for methods in RULES.values() for method, role in methods.items() if role is Role.READER}

    assert all(re.match("Get|List|Stream|Watch|Validate|ServerReflection", method) for method in readers)


def test_the_roles_are_documented_as_they_are() -> None:
    page = (DOCS / "security.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (none|reader|operator|admin) \| (.*) \|$", page, flags=re.MULTILINE))
    documented = {role: set(re.findall(r"`(\w+)`", text)) for role, text in rows.items()}
    rules: dict[str, set[str]] = {}
    for methods in RULES.values():
        for method, role in methods.items():
            rules.setdefault("none" if role is None else str(role), set()).add(method)

    assert documented == rules
