"""Postgres goes away under load, also in the middle of commits: clients are told to come back, and nothing is lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from execsvc import app
from execsvc.app import Settings
from execsvc.store import PostgresDatabase
from execsvc_client import AsyncExecutionClient, Retry, Unavailable
from tests.servers.postgres import FAST, IMMEDIATE, PostgresServer
from tests.support.logs import story
