"""How many ticks a second one core takes from the exchange into the one order and the database."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.crowd import crowd
from benchmarks.deployment import Deployment, Form
from benchmarks.market import FIFTY

NO_BEATS = "&timer=3600"
"""A stream that wants everything and is told nothing: it opens the channels, and costs next to nothing."""


@dataclass(frozen=True, slots=True)
class Flood:
    """One rate, for one window. `lag` is how many ticks more were sent than stored since the flood began."""

    asked_rate: float
    sent_rate: float
    stored_rate: float
    core_share: float
    cpu_us: float
    lag: int

    @property
    def is_held(self) -> bool:
        """Whether what came was stored as it came: with something left of the core, and a second on the way at most."""
        return self.core_share < 0.98 and self.lag <= self.sent_rate


def _flood(running: Deployment, folder: Path, rate: float, warm_s: float, window_s: float) -> Flood:
    with crowd(running.port, 1, [running.target(",".join(FIFTY), NO_BEATS)], folder) as reader:
        reader.open()
        time.sleep(warm_s)
        began_s, sent, stored, cpu_s = time.monotonic(), running.sent(), running.stored_rows(), running.cpu_s
        time.sleep(window_s)
        took_s = time.monotonic() - began_s
        sent_after, stored_after, used_s = running.sent(), running.stored_rows(), running.cpu_s - cpu_s
    new = stored_after - stored
    return Flood(
        asked_rate=rate,
        sent_rate=(sent_after - sent) / took_s,
        stored_rate=new / took_s,
        core_share=used_s / took_s,
        cpu_us=used_s / max(new, 1) * 1e6,
        lag=sent_after - stored_after,
    )


def ingest(
    folder: Path, form: Form, rates: Sequence[float], *, warm_s: float, window_s: float, tell: Callable[[str], None]
) -> list[Flood]:
    """Each rate on a gateway of its own: fifty tickers, instruments and indices, and no subscriber who is told."""
    floods = []
    for rate in rates:
        tell(f"ingest at {rate:g}/s")
        own = folder / f"{rate:g}"
        own.mkdir()
        with form(own, "--rate", f"{rate:g}") as running:
            floods.append(_flood(running, own, rate, warm_s, window_s))
    return floods
