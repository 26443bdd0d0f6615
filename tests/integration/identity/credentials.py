"""Credentials of every kind, for servers that ask who calls."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from execsvc.model import Role
from tests.integration.conftest import StartServer
from tests.support.tokens import NOW


class Shown(StrEnum):
    """What a caller shows."""

    NOTHING = "no credential"
    GARBAGE = "no token of ours"
    WRONG = "wrong secret"
    UNKNOWN = "unknown token"
    EXPIRED = "expired"
    REVOKED = "revoked"
    READER = "reader"
    OPERATOR = "operator"
    ADMIN = "admin"
    STRANGER = "admin of another namespace"


#: The roles of those that are valid.
ROLES: Mapping[Shown, Role] = {
    Shown.READER: Role.READER,
    Shown.OPERATOR: Role.OPERATOR,
    Shown.ADMIN: Role.ADMIN,
    Shown.STRANGER: Role.ADMIN,
}


async def credentials(start_server: StartServer) -> dict[Shown, str]:
    """Make them all in the server's database."""
    found = {
        Shown.NOTHING: "",
        Shown.GARBAGE: "hunter2",
        Shown.UNKNOWN: "exs_aaaaaaaaaaaa_" + 43 * "A",
        Shown.EXPIRED: await start_server.token(role=Role.ADMIN, expire_time=NOW + 1),
        Shown.REVOKED: await start_server.token(role=Role.ADMIN),
        Shown.READER: await start_server.token(role=Role.READER),
        Shown.OPERATOR: await start_server.token(role=Role.OPERATOR),
        Shown.ADMIN: await start_server.token(role=Role.ADMIN),
        Shown.STRANGER: await start_server.token(role=Role.ADMIN, namespace="elsewhere"),
    }
    await start_server.revoke(found[Shown.REVOKED])
    other = "B" if found[Shown.ADMIN][-1] == "A" else "A"
    found[Shown.WRONG] = found[Shown.ADMIN][:-1] + other
    return found
