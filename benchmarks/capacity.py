"""How many streams one process carries, and what each holds in memory."""

import resource
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.crowd import Latency, crowd
from benchmarks.deployment import Form, playing
from benchmarks.market import FIFTY, Script
from benchmarks.processes import kernel_tcp_bytes

SPARE_FILES = 500
"""What the gateway opens besides streams."""


@dataclass(frozen=True, slots=True)
class Fullness:
    """So many open streams, each with two of fifty tickers."""

    streams: int
    asked: int
    open_files: int
    open_s: float
    opened_cpu_ms: float
    kb_per_stream: float
    kernel_kb_per_stream: float
    deliveries_per_s: float
    core_share: float
    latency_us: Latency
    breaks: int
    doubled: int


def capacity(
    folder: Path, form: Form, *, streams: int, rate: float, window_s: float, tell: Callable[[str], None]
) -> Fullness:
    """Opens as many as were asked for, or as the system's limit on files allows."""
    open_files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    count = min(streams, open_files - SPARE_FILES)
    tell(f"capacity, {count} streams")
    with playing(folder, Script(rate, FIFTY), 150 + window_s, form=form) as running:
        pairs = [running.target(f"{FIFTY[i % 50]},{FIFTY[(i + 1 + i // 50 % 49) % 50]}") for i in range(50 * 49)]
        with crowd(running.port, 100, pairs, folder) as few:
            # What the process does once, and keeps, is no cost of a stream.
            few.open()
            few.rest()
        with crowd(running.port, count, pairs, folder) as readers:
            cpu_s, resident_bytes, kernel_bytes = running.cpu_s, running.resident_bytes, kernel_tcp_bytes()
            opened = readers.open()
            opened_cpu_s = running.cpu_s - cpu_s
            readers.warm(1.0)
            held_bytes, held_kernel = running.resident_bytes - resident_bytes, kernel_tcp_bytes() - kernel_bytes
            cpu_s = running.cpu_s
            found = readers.measure(window_s)
            used_s = running.cpu_s - cpu_s
    return Fullness(
        streams=opened.opened,
        asked=streams,
        open_files=open_files,
        open_s=opened.open_s,
        opened_cpu_ms=opened_cpu_s / count * 1000,
        kb_per_stream=held_bytes / count / 1024,
        kernel_kb_per_stream=held_kernel / count / 1024,
        deliveries_per_s=found.events / found.window_s,
        core_share=used_s / found.window_s,
        latency_us=found.latency_us["published_us"],
        breaks=found.breaks,
        doubled=found.doubled,
    )
