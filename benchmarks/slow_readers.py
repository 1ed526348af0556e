"""What readers that stop reading do to the others: the p99 of those who read, with them and without."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.crowd import Latency, crowd
from benchmarks.deployment import Form, playing
from benchmarks.market import SPOTS, Script
from benchmarks.processes import kernel_tcp_bytes

EVENT_BYTES = 10_000
_OTHER_FIELDS = 620


@dataclass(frozen=True, slots=True)
class Half:
    """One window with or without slow readers. Memory is what was added since before the window, at its end."""

    slow_percent: float
    streams: int
    deliveries: int
    least: int
    most: int
    latency_us: Latency
    breaks: int
    doubled: int
    resident_mb: float
    kernel_mb: float


def slow_readers(
    folder: Path,
    form: Form,
    *,
    streams: int,
    rate: float,
    percent: float,
    rounds: int,
    window_s: float,
    tell: Callable[[str], None],
) -> list[Half]:
    """In each round one window without and one with; both crowds are new, and the same in number."""
    script = Script(rate, SPOTS[:10], padding=EVENT_BYTES - _OTHER_FIELDS)
    halves = []
    with playing(folder, script, 60 + rounds * 2 * (window_s + 8), form=form) as running:
        target = running.target(",".join(SPOTS[:10]))
        for number in range(rounds):
            # Whoever goes first in one round goes second in the next.
            for share in (0.0, percent) if number % 2 == 0 else (percent, 0.0):
                tell(f"slow readers, {share:g} % of {streams} streams, round {number + 1}")
                with crowd(running.port, streams, [target], folder) as readers:
                    readers.open()
                    readers.warm(1.0)
                    resident_bytes, kernel_bytes = running.resident_bytes, kernel_tcp_bytes()
                    readers.stall(share)
                    found = readers.measure(window_s)
                    halves.append(
                        Half(
                            share,
                            streams,
                            found.events,
                            found.least,
                            found.most,
                            found.latency_us["published_us"],
                            found.breaks,
                            found.doubled,
                            (running.resident_bytes - resident_bytes) / 2**20,
                            (kernel_tcp_bytes() - kernel_bytes) / 2**20,
                        )
                    )
                    readers.rest()
    return halves
