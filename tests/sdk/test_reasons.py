"""Every reason that a client can be told of a request stands in a scenario."""

from __future__ import annotations

import re
from typing import Final

import pytest

from tests.sdk.scenarios import FOLDER
from tests.support.pages import ROOT

#: Sections of docs/errors.md that speak of requests; failures of runs are data.
SECTIONS: Final = ("Refused requests", "Fields", "JSON values", "The graph", "Expressions and templates")
#: Reasons without a scenario, and why no client can bring them about.
OTHERS: Final = {
    "UNKNOWN": "stands for no error",
    "INTERNAL": "a bug",
    **dict.fromkeys(("OVERLOADED", "TOO_MANY_STREAMS"), "a crowd; tests/integration/test_overload.py"),
    "LEASE_LOST": "two servers at the same moment",
    "STORAGE_FULL": "the disk is full; tests/chaos/test_storage.py",
    **dict.fromkeys(
        ("ORIGIN_NOT_ALLOWED", "UNSUPPORTED_MEDIA_TYPE", "NO_SUCH_PATH", "METHOD_NOT_ALLOWED", "HTTP_ERROR"), "of HTTP"
    ),
    **dict.fromkeys(
        ("DATABASE_LOCKED", "CERTIFICATE_UNUSABLE", "IDENTITY_UNUSABLE", "PLUGIN_UNUSABLE", "TRACING_UNUSABLE"),
        "of a server's start",
    ),
    **dict.fromkeys(("UNKNOWN_VALUE", "NO_VALUE", "UNREADABLE", "REQUEST_STALLED"), "of messages that no client makes"),
    **dict.fromkeys(
        ("NOT_A_NUMBER", "NOT_FINITE", "NUMBER_OUT_OF_RANGE", "NOT_JSON", "INVALID_UTF8", "INVALID_UNICODE"),
        "of values that JSON, in which scenarios come, cannot hold; the tests of each client have them",
    ),
    **dict.fromkeys(("JSON_SYNTAX", "DUPLICATE_KEY"), "of files and of HTTP's bodies; clients say INVALID_JSON"),
    "CONFIG_UNREADABLE": "a plug-in that fails",
    "SCHEMA_TOO_EXPENSIVE": "seconds of work; tests/fuzz/test_schemas.py",
}


def documented() -> list[str]:
    """The reasons in the tables of the sections."""
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    parts = re.split(r"^#{2,3} (.+)$", page, flags=re.MULTILINE)
    tables = dict(zip(parts[1::2], parts[2::2], strict=True))
    rows = [row for section in SECTIONS for row in tables[section].splitlines() if row.startswith("| `")]
    return [reason for row in rows for reason in re.findall(r"`([A-Z_]+)`", row.split("|")[1])]


@pytest.mark.parametrize("reason", documented())
def test_a_reason_is_brought_about_by_a_scenario_or_cannot_be(reason: str) -> None:
    scenarios = "".join(path.read_text(encoding="utf-8") for path in FOLDER.glob("*.yaml"))

    found = re.search(rf"reason: {{?[^}}]*\b{reason}\b", scenarios) is not None
    assert found != (reason in OTHERS), OTHERS.get(reason, "write a scenario")
