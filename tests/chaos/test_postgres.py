"""Postgres goes away under load, also in the middle of commits: clients are told to come back, and nothing is lost."""

from __future__ import annotations
