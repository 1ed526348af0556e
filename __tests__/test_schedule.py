"""The table of jobs."""

import pytest

from cryptomarket.roles.jobs import Works
from cryptomarket.schedule import DEFAULT_PERIODS_S, TABLE, jobs_of
from cryptomarket.settings import Settings


def test_every_job_has_its_setting_and_its_function() -> None:
    """Promise: what the table names can be set, and is done; defaults are told once."""
    for name, period_s in DEFAULT_PERIODS_S.items():
        assert Settings.model_fields[f"{name}_s"].default == period_s
        assert callable(getattr(Works, name))


@pytest.mark.parametrize("period_s", [0.0, 2.0, 3600.0])
def test_limits_hold(period_s: float) -> None:
    """Promise: no job takes longer than the setting, nor waits so long that the next period has come; one that is never
    due can still be started by hand.
    """
    for job in jobs_of(dict.fromkeys(DEFAULT_PERIODS_S, period_s), limit_s=7, grace_s=3).values():
        assert 0 < job.limit_s <= 7
        assert job.end_s == job.limit_s + 3
        assert 5 <= job.expiry_s <= max(5, period_s or 3600)
    assert len({job.name for job in TABLE}) == len(TABLE)
