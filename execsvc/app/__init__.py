"""The composition root: picks store and queue, puts the parts together, starts, drains and stops them."""

from execsvc.app.composition import Running, running
from execsvc.app.process import SWITCH_INTERVAL, run_tuned, serve
from execsvc.app.settings import Settings

__all__ = ["SWITCH_INTERVAL", "Running", "Settings", "run_tuned", "running", "serve"]
