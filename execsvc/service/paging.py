"""Pages: their sizes, and the opaque tokens that lead from one to the next (AIP-158)."""

from __future__ import annotations

import base64
import hashlib
from typing import Any, Final

import orjson

from execsvc.errors import FieldProblem, InvalidRequest

#: Entries of a page at most; more counts as this.
MAX_PAGE: Final = 1_000


def page_size(size: int, *, default: int) -> int:
    """Answer how many entries a page has. Raises InvalidRequest for a negative size."""
    if size < 0:
        message = f"must not be negative; 1 to {MAX_PAGE}, or 0 for {default}"
        raise InvalidRequest([FieldProblem(path="page_size", reason="OUT_OF_RANGE", message=message)])
    return min(size or default, MAX_PAGE)


class PageToken:
    """Tokens of one list. They hold a position in it, and a hash of the arguments they belong to.

    Args:
        arguments: what has to stay the same from page to page.
    """

    def __init__(self, *arguments: str) -> None:
        self._arguments = hashlib.sha256("\n".join(arguments).encode()).hexdigest()[:16]

    def make(self, *position: int | str) -> str:
        """Make the token of what follows a position."""
        return base64.urlsafe_b64encode(orjson.dumps([self._arguments, *position])).decode()

    def read(self, token: str, types: tuple[type, ...]) -> tuple[Any, ...] | None:
        """Answer the position in a token, checked for its types; None for the empty token.

        Raises:
            InvalidRequest: this service did not make it, or made it with other arguments.
        """
        if not token:
            return None
        try:
            arguments, *position = orjson.loads(base64.b64decode(token.encode(), altchars=b"-_", validate=True))
        except (ValueError, TypeError) as error:
            raise stale_token("it is none that this service made") from error
        if [type(value) for value in position] != list(types) or any(
            isinstance(value, int) and not 0 <= value < 2**63 for value in position
        ):
            raise stale_token("it is none that this service made")
        if arguments != self._arguments:
            raise stale_token("it was made with other arguments")
        return tuple(position)


def stale_token(why: str) -> InvalidRequest:
    """Make the error of a token that cannot be used."""
    message = f"cannot be used: {why}; start again without one, or repeat the arguments of the first page"
    return InvalidRequest([FieldProblem(path="page_token", reason="INVALID_PAGE_TOKEN", message=message)])
