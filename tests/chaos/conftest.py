"""The in-process servers of the integration tests, for faults that need one."""

from tests.integration.conftest import (
    changes,
    client,
    gates,
    place,
    postgres,
    settings,
    start_server,
    store_name,
    stubs,
)

__all__ = ["changes", "client", "gates", "place", "postgres", "settings", "start_server", "store_name", "stubs"]
