"""A crowd that is cut off at once and comes back at once: how soon each has all it missed, and whether it is exact."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.crowd import Latency, crowd
from benchmarks.deployment import SERVING_TWICE, Form, playing
from benchmarks.market import FIFTY, Script

TICKERS_EACH = 10


@dataclass(frozen=True, slots=True)
class Storm:
    """All streams cut together, and back `away_s` later. `missed_or_new` events came until the last was complete."""

    streams: int
    away_s: float
    all_s: float
    incomplete: int
    refused: int
    breaks: int
    doubled: int
    missed_or_new: int
    complete_us: Latency


def resume(
    folder: Path,
    form: Form,
    *,
    streams: int,
    rate: float,
    aways_s: Sequence[float],
    rounds: int,
    tell: Callable[[str], None],
) -> list[Storm]:
    """Storm after storm on one gateway, with two processes for readers where it can be several. Each stream has ten
    tickers of fifty; there are fifty different sets.
    """
    storms = []
    seconds = 60 + rounds * sum(away_s + 8 for away_s in aways_s)
    # While all are away, nobody wants the channels; they must not be closed for that.
    script = Script(rate, FIFTY)
    with playing(folder, script, seconds, form=form, shape=SERVING_TWICE, demand_linger_s="60") as running:
        sets = [",".join((FIFTY * 2)[first : first + TICKERS_EACH]) for first in range(len(FIFTY))]
        with crowd(running.port, streams, [running.target(tickers) for tickers in sets], folder) as readers:
            readers.open()
            for number in range(rounds):
                for away_s in aways_s:
                    tell(f"resume of {streams} streams after {away_s:g} s, round {number + 1}")
                    readers.warm(1.0)
                    found = readers.resume(away_s)
                    after = readers.measure(0.5)
                    storms.append(
                        Storm(
                            streams,
                            away_s,
                            found.all_s,
                            found.awaiting,
                            found.refused,
                            found.breaks + after.breaks,
                            found.doubled + after.doubled,
                            found.events,
                            found.complete_us,
                        )
                    )
    return storms
