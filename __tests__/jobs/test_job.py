"""Periods: whoever keeps the time, and whenever he looks, names the same."""

from cryptomarket.jobs.job import Job, Queue

DAY = Job("daily", "", 86_400, Queue.LOW, 3600, 60)


def test_a_day_ends_at_midnight() -> None:
    """Promise: a job of a day is due at midnight UTC, and a run is named for its period."""
    noon_ms = 1_790_164_800_000 // 86_400_000 * 86_400_000 + 43_200_000
    assert DAY.next_after(noon_ms) == noon_ms + 43_200_000
    assert DAY.slot_of(DAY.next_after(noon_ms)) == DAY.next_after(noon_ms)
    assert DAY.run_id(DAY.slot_of(noon_ms)) == DAY.run_id(DAY.slot_of(noon_ms + 1)) == f"daily-{noon_ms - 43_200_000}"
