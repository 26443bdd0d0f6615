"""Spans of time as options."""

from __future__ import annotations

import typer

from execsvc.config import parse_span as parse


def parse_span(text: str) -> int:
    """Read a span; gives microseconds. Raises ``typer.BadParameter``."""
    try:
        return parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
