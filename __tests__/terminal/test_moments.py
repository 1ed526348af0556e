"""Lengths of time as people type them."""

import pytest

from cryptomarket.terminal.moments import duration_ms


def test_lengths_are_read() -> None:
    """Promise: seconds, minutes, hours and days, and a sentence for everything else."""
    assert [duration_ms(text) for text in ("90s", " 15m", "2h", "7d")] == [90_000, 900_000, 7_200_000, 604_800_000]
    for wrong in ("", "m", "1w", "-1m", "1.5h", "9999999s"):
        with pytest.raises(ValueError, match="write 90s, 15m"):
            duration_ms(wrong)
