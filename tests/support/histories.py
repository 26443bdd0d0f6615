"""Run state machines of Hypothesis against what need not do the same thing twice."""

from __future__ import annotations

import sys
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis.errors import Flaky
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test


class History(RuleBasedStateMachine):
    """A history that keeps what went wrong in the first one in which something did."""

    #: By subclass; None: nothing has.
    wrong: Exception | None = None

    def teardown(self) -> None:
        """Called while an exception is on its way, if there is one."""
        error = sys.exc_info()[1]
        # Those of Hypothesis itself only end a history.
        ours = isinstance(error, Exception) and not type(error).__module__.startswith("hypothesis.")
        if ours and self.wrong is None:
            type(self).wrong = error


def run_histories(machine: type[History], **given: Any) -> None:
    """Run a machine, and raise what went wrong first.

    Hypothesis runs a history that failed once more. Where that goes well, as races do, it says nothing but that its
    data were inconsistent, or the test flaky.
    """
    suppressed = list(HealthCheck)
    try:
        run_state_machine_as_test(  # type: ignore[no-untyped-call]
            machine,
            settings=settings(deadline=None, suppress_health_check=suppressed, report_multiple_bugs=False, **given),
        )
    except Flaky:
        if machine.wrong is None:
            raise
        raise machine.wrong from None
