"""Counts and times what the server does, and serves the figures to Prometheus. prometheus_client stops here."""

from execsvc.metrics.listener import CannotListen, served
from execsvc.metrics.metrics import Metrics

__all__ = ["CannotListen", "Metrics", "served"]
