"""How late a tick is while nothing else is done, while every job is run each second beside it, and beside slow ones."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from benchmarks.deployment import SERVING, Deployment, Form, Shape
from benchmarks.latency import latency
from benchmarks.past import INDICES, Past

STREAMS, RATE = 100, 100.0
HELPERS = ("worker", "beat")
OFTEN = {
    f"{name}_s": "1"
    for name in (
        *("collect_index_prices", "collect_tickers", "refresh_latest", "flush_persons", "check_health"),
        *("remove_old_ticks", "make_partitions", "finalise_candles", "refresh_catalogue", "repair_gaps"),
        "check_candles",
    )
} | {"retention_days": "1"}
SLOW = {
    # Waits for an exchange that does not answer, two of them at any moment.
    "collect_index_prices_s": "1",
    "request_timeout_s": "20",
    # Reads and folds a day of each index in one run, and goes on with the next day in the next one.
    "finalise_candles_s": "1",
    "always_tickers": ",".join(INDICES),
}
MUTE = [{"kind": "mute", "methods": ["public/get_index_price"]}]
PAST_OF_A_SECOND = 250_000
"""So many rows are there for each second, which is more than can be folded in it."""
BEFORE_S = 10.0
"""How long the gateway and its streams may take before the first window begins."""


@dataclass(frozen=True, slots=True)
class Company:
    """One window: microseconds from the reading of the frame to the reader, whether jobs ran meanwhile, and whether
    they were the slow ones.
    """

    with_jobs: bool
    p50_us: int
    p99_us: int
    slow: bool = False


def jobs(folder: Path, form: Form, *, rounds: int, window_s: float, tell: Callable[[str], None]) -> list[Company]:
    """The same windows without jobs, with every job each second, and with slow ones, each of a gateway of its own."""
    past = Past(round(PAST_OF_A_SECOND * (BEFORE_S + rounds * window_s)))

    @contextmanager
    def busy(folder: Path, *options: str, shape: Shape = SERVING, **settings: str) -> Iterator[Deployment]:
        with form(folder, *options, shape=replace(shape, helpers=HELPERS), **OFTEN, **settings) as running:
            yield running

    @contextmanager
    def slowed(folder: Path, *options: str, shape: Shape = SERVING, **settings: str) -> Iterator[Deployment]:
        script = folder / "mute.json"
        script.write_bytes(msgspec.json.encode(MUTE))
        helped = replace(shape, helpers=HELPERS, prepare=past.fill)
        with form(folder, *options, "--faults", str(script), shape=helped, **SLOW, **settings) as running:
            yield running

    found = []
    companies: Mapping[str, tuple[Form, bool, bool]] = {
        "without jobs": (form, False, False),
        "with every job each second": (busy, True, False),
        "with slow jobs": (slowed, True, True),
    }
    for words, (one, with_jobs, slow) in companies.items():
        own = folder / words.replace(" ", "-")
        own.mkdir(parents=True)
        tell(words)
        for delay in latency(own, one, streams=STREAMS, rate=RATE, rounds=rounds, window_s=window_s, tell=tell):
            told = delay.latency_us["received_us"]
            found.append(Company(with_jobs, told.p50, told.p99, slow))
    return found
