"""Answers as HTTP responses: documents, and problems in their own media type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

from execsvc.gateway.problems import MEDIA_TYPE, Problem


def dumped(document: Any) -> bytes:
    """Write a document as JSON."""
    return orjson.dumps(document)


def answer(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer a document."""
    return Response(dumped(document), status, headers, "application/json")


def problem_response(problem: Problem, instance: str) -> Response:
    """Answer a problem.

    Args:
        instance: path of the request.
    """
    return Response(dumped(problem.document(instance)), problem.status, problem.all_headers(), MEDIA_TYPE)
