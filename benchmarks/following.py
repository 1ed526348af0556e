"""What it costs a process that serves readers to follow the whole feed, whatever its readers want of it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.crowd import crowd
from benchmarks.deployment import FOLLOWING, Form
from benchmarks.market import FIFTY
from benchmarks.processes import wait_until

FOLLOWER, BUS = "api", "redis"


@dataclass(frozen=True, slots=True)
class Followed:
    """One window. `sent_rate` is the exchange's; one reader of one ticker, a fiftieth of it, is there to say that the
    follower kept up: he got `heard` of `due` events. `cpu_us` is the follower's for each tick.
    """

    asked_rate: float
    sent_rate: float
    core_share: float
    cpu_us: float
    bus_share: float
    heard: int
    due: float
    p99_us: int


def following(
    folder: Path, form: Form, rates: Sequence[float], *, window_s: float, rounds: int, tell: Callable[[str], None]
) -> list[Followed]:
    """Some windows of each rate. Who hears is on the follower's core; who stores, both servers, the exchange and the
    reader are on the other one. Nothing of a form in which nobody follows another process.
    """
    told: list[Followed] = []
    for rate in rates:
        own = folder / f"{rate:g}"
        own.mkdir()
        tickers = ",".join(FIFTY)
        with form(own, "--rate", f"{rate:g}", shape=FOLLOWING, always_tickers=tickers) as running:
            if BUS not in running.beside:
                return []
            tell(f"following {rate:g}/s")
            wait_until(lambda: running.exchange.open_channels() >= len(FIFTY), "every ticker is listened to")
            follower, bus = running.programs[FOLLOWER], running.beside[BUS]
            with crowd(running.port, 1, [running.target(FIFTY[0])], own) as reader:
                running.exchange.speak()
                reader.open()
                reader.warm(1.0)
                for _ in range(rounds):
                    began_s, sent = time.monotonic(), running.exchange.sent()
                    cpu_s, bus_s = follower.cpu_s, bus.cpu_s
                    found = reader.measure(window_s)
                    used_s, bus_used_s = follower.cpu_s - cpu_s, bus.cpu_s - bus_s
                    new, took_s = running.exchange.sent() - sent, time.monotonic() - began_s
                    told.append(
                        Followed(
                            asked_rate=rate,
                            sent_rate=new / took_s,
                            core_share=used_s / took_s,
                            cpu_us=used_s / max(new, 1) * 1e6,
                            bus_share=bus_used_s / took_s,
                            heard=found.events,
                            due=new / len(FIFTY),
                            p99_us=found.latency_us["published_us"].p99,
                        )
                    )
    return told
