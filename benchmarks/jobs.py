"""How late a tick is while nothing else is done, and while every job is run each second beside it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.deployment import SERVING, Deployment, Form, Shape
from benchmarks.latency import latency

STREAMS, RATE = 100, 100.0
OFTEN = {
    f"{name}_s": "1"
    for name in (
        *("collect_index_prices", "collect_tickers", "refresh_latest", "flush_persons", "check_health"),
        *("remove_old_ticks", "make_partitions", "finalise_candles", "refresh_catalogue", "repair_gaps"),
        "check_candles",
    )
} | {"retention_days": "1"}


@dataclass(frozen=True, slots=True)
class Company:
    """One window: microseconds from the reading of the frame to the reader, and whether jobs ran meanwhile."""

    with_jobs: bool
    p50_us: int
    p99_us: int


def jobs(folder: Path, form: Form, *, rounds: int, window_s: float, tell: Callable[[str], None]) -> list[Company]:
    """The same windows without and with jobs, each of a gateway of its own."""

    @contextmanager
    def busy(folder: Path, *options: str, shape: Shape = SERVING, **settings: str) -> Iterator[Deployment]:
        helped = replace(shape, helpers=("worker", "beat"))
        with form(folder, *options, shape=helped, **OFTEN, **settings) as running:
            yield running

    found = []
    for with_jobs, one in ((False, form), (True, busy)):
        own = folder / ("with" if with_jobs else "without")
        own.mkdir(parents=True)
        tell("with every job each second" if with_jobs else "without jobs")
        for delay in latency(own, one, streams=STREAMS, rate=RATE, rounds=rounds, window_s=window_s, tell=tell):
            told = delay.latency_us["received_us"]
            found.append(Company(with_jobs, told.p50, told.p99))
    return found
