"""What servers that nodes call say for themselves, as errors may repeat it: without secrets, and cut short."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from execsvc.engine.secrecy import hidden_here

#: Most characters of a server's own words that an error repeats.
DETAIL_LIMIT = 500

_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
#: Keys by their look, for those that are not in the environment under a telling name.
_SECRET_LOOK = re.compile(r"\b(?:sk|pk|gsk|xai|pplx)[-_][\w-]{8,}|\bAIza[\w-]{20,}|(?<=earer )[\w.~+/=-]{8,}")
#: Shorter values are words, not keys; replacing them would garble messages.
_SECRET_MIN_LENGTH = 8


def redact(text: str) -> str:
    """Replace every secret of this process's environment and of the attempt, and whatever looks like an API key."""
    # Before anything is cut off: half a value would not be recognised.
    text = hidden_here().hide(text)
    secrets = {
        value
        for name, value in os.environ.items()
        if len(value) >= _SECRET_MIN_LENGTH and _SECRET_NAME.search(name) and value in text
    }
    # Longest first: one secret may be the beginning of another.
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "[redacted]")
    return _SECRET_LOOK.sub("[redacted]", text)


def shortened(text: str) -> str:
    """Redact a text, and cut off what of it is too long for an error."""
    text = redact(text)
    return text if len(text) <= DETAIL_LIMIT else text[:DETAIL_LIMIT] + "…"


def retry_after(headers: Mapping[str, str], *, now: float) -> float | None:
    """Read how many seconds a server asks to wait; None where it says nothing that can be understood.

    Source: RFC 9110 section 10.2.3 (seconds, or an HTTP date); ``retry-after-ms`` is OpenAI's finer variant.
    """
    for name, factor in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name)
        if not value:
            continue
        try:
            seconds = float(value) * factor
        except ValueError:
            try:
                seconds = parsedate_to_datetime(value).timestamp() - now
            except (ValueError, OverflowError, OSError):
                continue
        if math.isfinite(seconds):
            return max(seconds, 0.0)
    return None
