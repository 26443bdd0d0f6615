"""Dataclasses that are frozen for type checkers alone.

At run time each field of a frozen dataclass costs a call (60 ns against 10), and an execution makes hundreds of fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as record
else:
    from dataclasses import dataclass

    def record(*, frozen, **options):
        """Make a class a dataclass with a hash; nothing but the type checkers keeps it from being changed.

        Takes what ``dataclasses.dataclass`` takes. For values that many are made of; elsewhere use a real frozen one.
        """
        return dataclass(unsafe_hash=frozen and options.get("eq", True), **options)


__all__ = ["record"]
