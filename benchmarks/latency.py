"""How late a tick is, from the exchange's word to the subscriber, and after which hop."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.crowd import Latency, crowd
from benchmarks.deployment import ALL_THE_WAY, Form, playing
from benchmarks.market import TEN, Script


@dataclass(frozen=True, slots=True)
class Delay:
    """One window. `latency_us` is by the field that it is counted from: `timestamp` is the exchange's millisecond,
    `received_us` when the gateway had read the frame, `published_us` just before it was published.
    """

    streams: int
    rate: float
    deliveries: int
    latency_us: dict[str, Latency]
    breaks: int
    doubled: int


def latency(
    folder: Path, form: Form, *, streams: int, rate: float, rounds: int, window_s: float, tell: Callable[[str], None]
) -> list[Delay]:
    """Some windows of one gateway, every stream open all the time."""
    script = Script(rate, TEN)
    delays = []
    with (
        playing(folder, script, 30 + rounds * window_s * 1.5, form=form, shape=ALL_THE_WAY) as running,
        crowd(running.port, streams, [running.target(",".join(TEN))], folder) as readers,
    ):
        readers.open()
        readers.warm(min(2.0, window_s))
        for number in range(rounds):
            tell(f"latency, {streams} streams × {rate:g}/s, round {number + 1}")
            found = readers.measure(window_s)
            delays.append(Delay(streams, rate, found.events, found.latency_us, found.breaks, found.doubled))
    return delays
