"""What is known of a run at a time."""

import pytest

from __tests__.jobs.world import BESIDE, run_of
from cryptomarket.jobs.runs import EXPIRED, LEFT, RunState


@pytest.mark.parametrize(
    ("state", "later", "error"),
    [
        (RunState.RUNNING, RunState.TIMED_OUT, LEFT),
        (RunState.QUEUED, RunState.EXPIRED, EXPIRED),
        (RunState.RETRYING, RunState.EXPIRED, EXPIRED),
        (RunState.SUCCEEDED, RunState.SUCCEEDED, None),
    ],
)
def test_a_run_of_which_nobody_hears_has_ended(state: RunState, later: RunState, error: str | None) -> None:
    """Promise: a run whose process died is not told as running for ever."""
    run = run_of(BESIDE, state=state)
    assert run.as_of(run.overdue_ms - 1) == run
    assert (run.as_of(run.overdue_ms).state, run.as_of(run.overdue_ms).error) == (later, error)
