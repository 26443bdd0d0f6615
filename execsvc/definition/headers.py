"""Which headers a workflow may set."""

from __future__ import annotations

import re
from typing import Final

#: Source: RFC 9110 section 5.6.2.
_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}", re.ASCII)
#: What the connection is made of, and how answers are packed, is no business of a workflow.
_OURS: Final = frozenset(
    {"accept-encoding", "connection", "content-length", "expect", "host", "keep-alive", "proxy-authorization"}
    | {"proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)


def may_set(name: str) -> bool:
    """Whether a workflow may set a header of this name."""
    return bool(_NAME.fullmatch(name)) and name.lower() not in _OURS


def is_sendable(text: str) -> bool:
    """Whether a text can be the value of a header: one line of ASCII, so that it cannot begin another one."""
    return text.isascii() and text.isprintable()
