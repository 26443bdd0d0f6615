"""Scrape a server's metrics over HTTP and look values up."""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import Callable, Mapping

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

Series = tuple[str, frozenset[tuple[str, str]]]


class Scrape:
    """Metrics as they were at one scrape."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families: list[Metric] = list(text_string_to_metric_families(text))
        self._values: Mapping[Series, float] = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families
            for sample in family.samples
        }

    def __call__(self, metric: str, **labels: str) -> float:
        """The value of one series; fails if there is none."""
        return self._values[f"execsvc_{metric}", frozenset(labels.items())]

    def by(self, label: str, metric: str, **labels: str) -> dict[str, float]:
        """Values that are not 0 of the series with these labels and one more, by that one."""
        found: dict[str, float] = {}
        for (name, given), value in self._values.items():
            known = dict(given)
            if name == f"execsvc_{metric}" and label in known and value:
                key = known.pop(label)
                if known == labels:
                    found[key] = value
        return found


async def scrape(address: str) -> Scrape:
    """Read the metrics of a server."""

    def read() -> str:
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as response:
            assert response.headers["Content-Type"].startswith("text/plain")
            return str(response.read().decode())

    return Scrape(await asyncio.to_thread(read))


async def scraped_once(address: str, holds: Callable[[Scrape], bool]) -> Scrape:
    """Scrape until a condition holds; the test's timeout bounds the wait."""
    while not holds(found := await scrape(address)):
        pass
    return found
