"""Time as an argument: the two clocks that parts are given, so that tests need no patching."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """`monotonic_s` measures how long; `wall_us` tells when, in microseconds since the Unix epoch."""

    monotonic_s: Callable[[], float]
    wall_us: Callable[[], int]

    def wall_ms(self) -> int:
        """When, in milliseconds since the Unix epoch."""
        return self.wall_us() // 1000

    @classmethod
    def system(cls) -> "Clock":
        """This machine's clocks."""
        return cls(time.monotonic, lambda: time.time_ns() // 1000)
