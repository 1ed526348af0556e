"""What callers see of a run."""

from __tests__.jobs.world import BESIDE, NOW_MS, run_of
from cryptomarket.jobs.runs import RunState
from cryptomarket.jobs.schemas import job_told, run_told


def test_a_run_is_told_with_what_it_was_told() -> None:
    """Promise: arguments and result are JSON values, not texts of them."""
    run = run_of(BESIDE, state=RunState.SUCCEEDED, arguments='{"tickers":["a"]}', result='{"done":1}')
    told = run_told(run)
    assert (told.name, told.scheduled, told.arguments, told.result) == (
        "beside",
        NOW_MS,
        {"tickers": ["a"]},
        {"done": 1},
    )
    assert job_told(BESIDE).may_run_beside_itself
