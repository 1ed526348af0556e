"""How many ticks a second one core takes from the exchange into the one order and the database."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.deployment import TAKING_IN, Deployment, Exchange, Form
from benchmarks.market import FIFTY
from benchmarks.processes import wait_until

CATCHING_UP_S = 20.0
_LOOK_S = 0.2
_QUIET_S = 1.0


@dataclass(frozen=True, slots=True)
class Flood:
    """One window at a rate. `lag` is how many ticks more were sent than stored when it ended; `missing` is what was
    never stored of the whole flood, though the exchange was silent for a while when it was over. `beside_share` is what
    the servers took of the other core, where the exchange is, too.
    """

    asked_rate: float
    sent_rate: float
    stored_rate: float
    core_share: float
    beside_share: float
    cpu_us: float
    lag: int
    missing: int

    @property
    def is_held(self) -> bool:
        """Whether what came was stored as it came: with something left of the core, and a second on the way at most."""
        return self.core_share < 0.98 and self.lag <= self.sent_rate and self.missing == 0


def _flood(running: Deployment, rate: float, warm_s: float, window_s: float, rounds: int) -> list[Flood]:
    exchange = running.exchange
    wait_until(lambda: exchange.open_channels() >= len(FIFTY), "every ticker is listened to")
    sent_before, stored_before = _after_subscribing(exchange), running.stored_rows()
    exchange.speak()
    time.sleep(warm_s)
    windows = [_window(running, rate, window_s, sent_before - stored_before) for _ in range(rounds)]
    exchange.fall_silent()
    missing = _missing(running, sent_before, stored_before)
    return [replace(window, missing=missing) for window in windows]


def _window(running: Deployment, rate: float, window_s: float, other_words: int) -> Flood:
    """One window; `other_words` are what was sent before the flood and is no tick."""
    began_s, sent, stored = time.monotonic(), running.exchange.sent(), running.stored_rows()
    cpu_s, beside_s = running.cpu_s, running.beside_cpu_s
    time.sleep(window_s)
    used_s, beside_used_s = running.cpu_s - cpu_s, running.beside_cpu_s - beside_s
    took_s, sent_after, stored_after = time.monotonic() - began_s, running.exchange.sent(), running.stored_rows()
    new = stored_after - stored
    return Flood(
        asked_rate=rate,
        sent_rate=(sent_after - sent) / took_s,
        stored_rate=new / took_s,
        core_share=used_s / took_s,
        beside_share=beside_used_s / took_s,
        cpu_us=used_s / max(new, 1) * 1e6,
        lag=sent_after - stored_after - other_words,
        missing=0,
    )


def _after_subscribing(exchange: Exchange) -> int:
    """How much was sent when nothing comes any more: sessions are told the platform's state as they come."""
    sent = -1
    while sent != (sent := exchange.sent()):
        time.sleep(_QUIET_S)
    return sent


def _missing(running: Deployment, sent_before: int, stored_before: int) -> int:
    """What is still not stored when nothing comes any more and nothing is being stored."""
    ends_s = time.monotonic() + CATCHING_UP_S
    while True:
        missing = (running.exchange.sent() - sent_before) - (running.stored_rows() - stored_before)
        if missing == 0 or time.monotonic() > ends_s:
            return missing
        time.sleep(_LOOK_S)


def ingest(
    folder: Path,
    form: Form,
    rates: Sequence[float],
    *,
    warm_s: float,
    window_s: float,
    rounds: int,
    tell: Callable[[str], None],
) -> list[Flood]:
    """Some windows of each rate, each rate on a gateway of its own: fifty tickers, instruments and indices, no reader.

    The exchange is silent until every process is ready and every ticker is listened to.
    """
    floods: list[Flood] = []
    for rate in rates:
        tell(f"ingest at {rate:g}/s")
        own = folder / f"{rate:g}"
        own.mkdir()
        tickers = ",".join(FIFTY)
        with form(own, "--rate", f"{rate:g}", shape=TAKING_IN, always_tickers=tickers) as running:
            floods += _flood(running, rate, warm_s, window_s, rounds)
    return floods
