"""The ``execsvc`` command: serve, run, submit, follow and control workflows from a terminal."""

from execsvc.cli.program import main

__all__ = ["main"]
