"""Every setting there is."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from execsvc.config.client_settings import OF_CLIENTS
from execsvc.config.protection_settings import OF_PROTECTION
from execsvc.config.server_settings import OF_SERVERS
from execsvc.config.setting import Setting

#: By its name.
SETTINGS: Final[Mapping[str, Setting]] = MappingProxyType(
    {setting.name: setting for setting in (*OF_SERVERS, *OF_PROTECTION, *OF_CLIENTS)}
)
