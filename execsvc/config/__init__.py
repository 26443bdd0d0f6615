"""The settings of server and command line: what there is, and where each value comes from.

Only what is light is re-exported here, so that help and completion need not wait for the rest: ``models`` holds the
models, ``loading`` puts flags, environment and file together.
"""

from execsvc.config.setting import CONFIG_VARIABLE, DEFAULT_ADDRESS, DEFAULT_FILE, Setting
from execsvc.config.spans import parse_span, span_text
from execsvc.config.table import SETTINGS

__all__ = [
    "CONFIG_VARIABLE",
    "DEFAULT_ADDRESS",
    "DEFAULT_FILE",
    "SETTINGS",
    "Setting",
    "parse_span",
    "span_text",
]
