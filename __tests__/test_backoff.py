"""Reconnecting: spread at random, further apart each time, never beyond the cap."""

from hypothesis import given
from hypothesis import strategies as st

from cryptomarket.backoff import Backoff


def test_the_longest_wait_doubles_up_to_the_cap_and_begins_anew() -> None:
    backoff = Backoff(base_s=0.5, cap_s=3.0, random=lambda: 1.0)
    assert [backoff.next_s() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    backoff.reset()
    assert backoff.next_s() == 0.5


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 3000))
def test_no_wait_is_ever_above_the_cap(part: float, attempts: int) -> None:
    backoff = Backoff(base_s=0.5, cap_s=30.0, random=lambda: part)
    assert all(0 <= backoff.next_s() <= 30.0 for _ in range(attempts))
