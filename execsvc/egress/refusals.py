"""Why a call was not made, or its answer not read: failures of a node, each with its type."""

from __future__ import annotations

from typing import ClassVar


class Refusal(Exception):
    """A call that nodes may not make, or an answer that they may not have.

    Args:
        message: what was refused, why, and what would be right; no secret.
    """

    #: Of the node's failure.
    type: ClassVar[str]

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(message)


class AddressNotAllowed(Refusal):
    """The operator does not let nodes call there."""

    type = "ADDRESS_NOT_ALLOWED"


class ResponseTooLarge(Refusal):
    """The answer, or a part of it that has to be read at once, is larger than is read."""

    type = "RESPONSE_TOO_LARGE"
