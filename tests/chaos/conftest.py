"""The in-process servers of the integration tests, for faults that need one."""

from tests.integration.conftest import changes, client, gates, settings, start_server, stubs

__all__ = ["changes", "client", "gates", "settings", "start_server", "stubs"]
