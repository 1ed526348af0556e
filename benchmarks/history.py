"""Questions about the past, beside what most people write: pages, filters and whole ranges of ten million rows."""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path

import httpx

from benchmarks.asking import Answered, Connection, on_the_other_core, paced, saturating
from benchmarks.deployment import SERVING, Deployment, Form
from benchmarks.past import BEGINS_MS, INDICES, INSTRUMENT, Past
from benchmarks.processes import SERVER_CORE, Program, environment, free_port, program, wait_for_port

ROWS_OF_PAGE = 1000
PRODUCT, FILTER, RIVAL = "product, page", "product, older date filter", "SQLAlchemy ORM + pydantic list"
_LOOK_S = 0.01
# The older filter knows whole seconds, and its range is closed: it ends up to a second earlier.
_LEAST_ROWS = ROWS_OF_PAGE - 3
# How much shorter than the pages that were counted an answer may be: prices and times have as many digits everywhere.
_LEAST_SHARE = 0.95


@dataclass(frozen=True, kw_only=True)
class Questions:
    """How much is asked, and how long."""

    rows: int
    rate: float
    paced_s: float
    saturated_s: float
    rounds: int
    bulk_rows: Sequence[int]
    rival_rows: int


@dataclass(frozen=True, slots=True)
class Pace:
    """Pages at an even pace, in one round."""

    who: str
    rate: float
    answered: Answered


@dataclass(frozen=True, slots=True)
class Full:
    """As many pages as one core answers."""

    who: str
    per_s: float
    core_share: float
    beside_share: float
    answered: Answered


@dataclass(frozen=True, slots=True)
class Bulk:
    """One bulk answer. `peak_mb` is what the server's processes held at most, above what they held before the first."""

    who: str
    form: str
    rows: int
    took_s: float
    mb: float
    core_share: float
    beside_share: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Told:
    """All that was found about one store."""

    rows: int
    filled_s: float
    paces: list[Pace]
    fulls: list[Full]
    bulks: list[Bulk]


@dataclass(frozen=True)
class _Server:
    """Whoever answers: where, who asks, by which path, and which programs are it."""

    who: str
    port: int
    headers: dict[str, str]
    path: Callable[[int], str]
    programs: Sequence[Program]
    beside: Sequence[Program]

    @property
    def cpu_s(self) -> float:
        return sum(one.cpu_s for one in self.programs)

    @property
    def beside_cpu_s(self) -> float:
        return sum(one.cpu_s for one in self.beside)

    @property
    def resident_mb(self) -> float:
        return sum(one.resident_bytes for one in self.programs) / 2**20


def _pages(past: Past) -> Callable[[int], tuple[str, int, int]]:
    """Which page is asked for: another one each time, all over the range, and the same for each contender."""

    def page(number: int) -> tuple[str, int, int]:
        first = number * 7919 * 1009 % (past.each - ROWS_OF_PAGE - 10)
        # The older filter knows whole seconds.
        start_ms = (BEGINS_MS + first * past.spacing_ms) // 1000 * 1000
        return INDICES[number % len(INDICES)], start_ms, start_ms + ROWS_OF_PAGE * past.spacing_ms

    return page


@contextmanager
def _rival(folder: Path, running: Deployment, page: Callable[[int], tuple[str, int, int]]) -> Iterator[_Server]:
    port = free_port()
    words = [sys.executable, "-m", "benchmarks.rivals.listing", str(port), running.database_url]

    def path(number: int) -> str:
        ticker, start_ms, end_ms = page(number)
        return f"/ticks?ticker={ticker}&start={start_ms}&end={end_ms}&limit={ROWS_OF_PAGE}"

    log = folder / "listing.log"
    with program(words, log, core=SERVER_CORE, environment=environment()) as one:
        wait_for_port(port)
        yield _Server(RIVAL, port, {}, path, [one], list(running.beside.values()))


def _product(running: Deployment, page: Callable[[int], tuple[str, int, int]]) -> list[_Server]:
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
        _Server(PRODUCT, running.port, headers, paged, programs, beside),
        _Server(FILTER, running.port, headers, filtered, programs, beside),
    ]


def _bulk(server: _Server, path: str, form: str, rows: int, rest_mb: float) -> Bulk:
    peak_mb, is_over = 0.0, threading.Event()

    def look() -> None:
        nonlocal peak_mb
        while not is_over.wait(_LOOK_S):
            peak_mb = max(peak_mb, server.resident_mb)

    looking = threading.Thread(target=look)
    with on_the_other_core():
        connection = Connection(server.port, server.headers)
        looking.start()
        cpu_s, beside_s = server.cpu_s, server.beside_cpu_s
        try:
            read = connection.read_through(path)
        finally:
            is_over.set()
            looking.join()
            connection.close()
    used_s, beside_used_s = server.cpu_s - cpu_s, server.beside_cpu_s - beside_s
    if form == "ndjson":
        assert f'"rows":{rows},'.encode() in read.tail, read.tail
    return Bulk(
        server.who,
        form,
        rows,
        read.took_s,
        read.size / 1e6,
        used_s / read.took_s,
        beside_used_s / read.took_s,
        max(0.0, peak_mb - rest_mb),
    )


def history(folder: Path, form: Form, asked: Questions, tell: Callable[[str], None]) -> Told:
    """Everything, on one store of `asked.rows` rows: contenders take turns in every round."""
    past, filled_s = Past(asked.rows), 0.0

    def fill(url: str) -> None:
        nonlocal filled_s
        tell(f"history: {past.rows:,} rows are put into the store")
        began_s = time.monotonic()
        past.fill(url)
        filled_s = time.monotonic() - began_s

    page = _pages(past)
    paces: list[Pace] = []
    fulls: list[Full] = []
    bulks: list[Bulk] = []
    with ExitStack() as stack:
        running = stack.enter_context(form(folder, shape=replace(SERVING, prepare=fill)))
        servers = [*_product(running, page), stack.enter_context(_rival(folder, running, page))]
        least_bytes = {server.who: _least_bytes(server) for server in servers}
        for server in servers:
            # Pages of the file, plans and caches, for everybody alike.
            _full(server, min(1.0, asked.saturated_s), least_bytes[server.who])
        rest_mb = {server.who: server.resident_mb for server in servers}
        for number in range(asked.rounds):
            for server in servers:
                tell(f"history, round {number + 1}: {server.who}")
                answered = paced(
                    server.port,
                    server.headers,
                    server.path,
                    rate=asked.rate,
                    seconds=asked.paced_s,
                    least_bytes=least_bytes[server.who],
                )
                paces.append(Pace(server.who, asked.rate, answered))
                fulls.append(_full(server, asked.saturated_s, least_bytes[server.who]))
            bulks += _bulks(servers, past, asked, rest_mb, tell)
    return Told(past.rows, filled_s, paces, fulls, bulks)


def _least_bytes(server: _Server) -> int:
    """How long a page has to be to have its rows. Raises ValueError unless those of each index have them."""
    connection, sizes = Connection(server.port, server.headers), []
    for number in range(2 * len(INDICES)):
        status, body = connection.get(server.path(number))
        rows = bytes(body).count(b'"received_us":')
        if status != HTTPStatus.OK or not _LEAST_ROWS <= rows <= ROWS_OF_PAGE:
            raise ValueError(f"{server.who}: {status}, {rows} rows: {bytes(body[:200])!r}")
        sizes.append(len(body))
    connection.close()
    return int(min(sizes) * _LEAST_SHARE)


def _full(server: _Server, seconds: float, least_bytes: int) -> Full:
    cpu_s, beside_s, began_s = server.cpu_s, server.beside_cpu_s, time.monotonic()
    answered = saturating(server.port, server.headers, server.path, seconds=seconds, least_bytes=least_bytes)
    took_s = time.monotonic() - began_s
    return Full(
        server.who,
        answered.count / took_s,
        (server.cpu_s - cpu_s) / took_s,
        (server.beside_cpu_s - beside_s) / took_s,
        answered,
    )


def _bulks(
    servers: Sequence[_Server], past: Past, asked: Questions, rest_mb: dict[str, float], tell: Callable[[str], None]
) -> list[Bulk]:
    product, *_, rival = servers
    found = []
    for form in ("csv", "ndjson"):
        for rows in asked.bulk_rows:
            tell(f"history: {rows:,} rows as {form}")
            path = f"/api/v2/ticks/btc_usd?format={form}&start={BEGINS_MS}&end={past.end_ms(rows)}"
            found.append(_bulk(product, path, form, rows, rest_mb[product.who]))
    for form in ("csv", "ndjson"):
        tell(f"history: an instrument as {form}")
        rows = past.of_instrument
        path = f"/api/v2/ticks/{INSTRUMENT}?format={form}&start={BEGINS_MS}&end={past.end_ms(rows)}"
        bulk = _bulk(product, path, form, rows, rest_mb[product.who])
        found.append(replace(bulk, form=f"{form}, instrument"))
    rows = min(asked.rival_rows, past.each)
    path = f"/ticks?ticker=btc_usd&start={BEGINS_MS}&end={past.end_ms(rows)}"
    found.append(_bulk(rival, path, "json", rows, rest_mb[rival.who]))
    return found
