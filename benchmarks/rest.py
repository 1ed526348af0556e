"""What the product holds in memory while nobody reads and the exchange says what it says anyway."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.deployment import RESTING, Form

NOT_COUNTED = "postgres"
"""Its memory is what its settings say."""


@dataclass(frozen=True, slots=True)
class Rest:
    """One program at rest. `resident_mb` counts what it shares with others whole, `own_mb` by its share."""

    name: str
    resident_mb: float
    own_mb: float


def rest(folder: Path, form: Form, *, settle_s: float, tell: Callable[[str], None]) -> list[Rest]:
    """Each program a while after the start, with the two tickers that are collected by default."""
    tell("memory at rest")
    with form(
        folder, shape=RESTING, always_tickers="btc_usd,eth_usd", collect_index_prices_s="2", collect_tickers_s="45"
    ) as running:
        time.sleep(settle_s)
        programs = {**running.programs, **running.beside}
        return [
            Rest(name, one.resident_bytes / 2**20, one.own_bytes / 2**20)
            for name, one in sorted(programs.items())
            if name != NOT_COUNTED
        ]
