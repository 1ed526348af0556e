"""Who answers questions about the past: the product by its paths, and what most people write beside it."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.deployment import Deployment
from benchmarks.past import BEGINS_MS, INDICES, Past
from benchmarks.processes import SERVER_CORE, Program, environment, free_port, program, wait_for_port

ROWS_OF_PAGE = 1000
PRODUCT, FILTER, RIVAL = "product, page", "product, older date filter", "SQLAlchemy ORM + pydantic list"

Page = tuple[str, int, int]
"""An index, and the milliseconds in which a page of its rows begins and ends."""


@dataclass(frozen=True)
class Contender:
    """Whoever answers: where, who asks, by which path, and which programs are it."""

    who: str
    port: int
    headers: dict[str, str]
    path: Callable[[int], str]
    programs: Sequence[Program]
    beside: Sequence[Program]

    @property
    def cpu_s(self) -> float:
        """What it has used."""
        return sum(one.cpu_s for one in self.programs)

    @property
    def beside_cpu_s(self) -> float:
        """What the servers have used that it asks itself."""
        return sum(one.cpu_s for one in self.beside)

    @property
    def resident_mb(self) -> float:
        """What it holds."""
        return sum(one.resident_bytes for one in self.programs) / 2**20


def pages(past: Past) -> Callable[[int], Page]:
    """Which page is asked for: another one each time, all over the range, and the same for each contender."""

    def page(number: int) -> Page:
        first = number * 7919 * 1009 % (past.each - ROWS_OF_PAGE - 10)
        # The older filter knows whole seconds.
        start_ms = (BEGINS_MS + first * past.spacing_ms) // 1000 * 1000
        return INDICES[number % len(INDICES)], start_ms, start_ms + ROWS_OF_PAGE * past.spacing_ms

    return page


def product(running: Deployment, page: Callable[[int], Page]) -> list[Contender]:
    """The product by pages, and by its older filter."""
    headers = {"Authorization": f"Bearer {running.token}"}
    me = httpx.get(f"http://127.0.0.1:{running.port}/api/v2/me", headers=headers).raise_for_status().json()["user_id"]

    def paged(number: int) -> str:
        ticker, start_ms, end_ms = page(number)
        return f"/api/v2/ticks/{ticker}?start={start_ms}&end={end_ms}&limit={ROWS_OF_PAGE}"

    def filtered(number: int) -> str:
        ticker, start_ms, end_ms = page(number)
        start, end = (time.strftime("%Y-%m-%d_%H:%M:%S", time.gmtime(ms // 1000)) for ms in (start_ms, end_ms - 1000))
        return f"/api/v1/market/{me}/get_order/{ticker}?start_date={start}&end_date={end}"

    programs, beside = list(running.programs.values()), list(running.beside.values())
    return [
        Contender(PRODUCT, running.port, headers, paged, programs, beside),
        Contender(FILTER, running.port, headers, filtered, programs, beside),
    ]


@contextmanager
def rival(folder: Path, running: Deployment, page: Callable[[int], Page]) -> Iterator[Contender]:
    """What most people write, on the same store and core."""
    port = free_port()
    words = [sys.executable, "-m", "benchmarks.rivals.listing", str(port), running.database_url]

    def path(number: int) -> str:
        ticker, start_ms, end_ms = page(number)
        return f"/ticks?ticker={ticker}&start={start_ms}&end={end_ms}&limit={ROWS_OF_PAGE}"

    log = folder / "listing.log"
    with program(words, log, core=SERVER_CORE, environment=environment()) as one:
        wait_for_port(port)
        yield Contender(RIVAL, port, {}, path, [one], list(running.beside.values()))
