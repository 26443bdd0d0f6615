"""A history that goes wrong once is told as it went, although the same goes well when it is tried again."""

from __future__ import annotations

import pytest
from hypothesis import Phase
from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.support.histories import History, run_histories


class Once(History):
    """Goes wrong in its fifth step, the first time that there is one."""

    gone_wrong = False
    steps = 0

    @rule(number=st.integers())
    def step(self, number: int) -> None:
        self.steps += 1
        if self.steps == 5 and not self.gone_wrong:
            type(self).gone_wrong = True
            raise AssertionError("only once")


def test_what_went_wrong_once_is_told() -> None:
    with pytest.raises(AssertionError, match="only once"):
        run_histories(Once, max_examples=10, stateful_step_count=8, phases=(Phase.generate,))
