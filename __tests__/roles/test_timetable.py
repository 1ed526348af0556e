"""The schedule as the settings have it."""

from cryptomarket.roles.timetable import jobs_in
from cryptomarket.settings import Settings


def test_nothing_is_removed_unless_a_retention_is_set() -> None:
    """Promise: ticks are kept for ever unless somebody says for how long; periods are the settings'."""
    jobs = jobs_in(Settings(collect_index_prices_s=7))
    assert (jobs["remove_old_ticks"].period_s, jobs["collect_index_prices"].period_s) == (0, 7)
    assert jobs_in(Settings(retention_days=30))["remove_old_ticks"].period_s > 0
