"""The two clocks: how long, and when."""

import time

from cryptomarket.clock import Clock


def test_milliseconds_are_the_same_moment_as_microseconds() -> None:
    """Promise: units are named, and agree."""
    clock = Clock(lambda: 1.0, lambda: 1_790_165_113_481_999)
    assert clock.wall_ms() == 1_790_165_113_481


def test_the_systems_clocks_are_the_systems() -> None:
    """Promise: wall time is Unix time in microseconds, and how long is measured by a clock that only grows."""
    clock = Clock.system()
    before = time.time_ns() // 1000
    assert before <= clock.wall_us() <= time.time_ns() // 1000
    assert clock.monotonic_s() <= clock.monotonic_s()
