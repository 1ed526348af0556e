"""Questions about the past, beside what most people write: pages, filters and whole ranges of ten million rows."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path

from benchmarks.asking import Answered, Connection, paced, saturating
from benchmarks.contenders import ROWS_OF_PAGE, Contender, pages, product, rival
from benchmarks.deployment import SERVING, Form
from benchmarks.past import INDICES, Past
from benchmarks.ranges import Bulk, Ranges

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
    bulk_rows: tuple[int, ...]
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
class Told:
    """All that was found about one store."""

    rows: int
    filled_s: float
    paces: list[Pace]
    fulls: list[Full]
    bulks: list[Bulk]


def history(folder: Path, form: Form, asked: Questions, tell: Callable[[str], None]) -> Told:
    """Everything, on one store of `asked.rows` rows: contenders take turns in every round."""
    past, filled_s = Past(asked.rows), 0.0

    def fill(url: str) -> None:
        nonlocal filled_s
        tell(f"history: {past.rows:,} rows are put into the store")
        began_s = time.monotonic()
        past.fill(url)
        filled_s = time.monotonic() - began_s

    page = pages(past)
    paces: list[Pace] = []
    fulls: list[Full] = []
    bulks: list[Bulk] = []
    with ExitStack() as stack:
        running = stack.enter_context(form(folder, shape=replace(SERVING, prepare=fill)))
        servers = [*product(running, page), stack.enter_context(rival(folder, running, page))]
        rest_mb = {server.who: server.resident_mb for server in servers}
        least_bytes = {server.who: _least_bytes(server) for server in servers}
        for server in servers:
            # Pages of the file, plans and caches, for everybody alike.
            _full(server, min(1.0, asked.saturated_s), least_bytes[server.who])
        few = min(asked.rival_rows, past.each)
        long = Ranges(servers[0], servers[-1], past, asked.bulk_rows, few, rest_mb, tell)
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
            bulks += long.lines()
        for number in range(asked.rounds):
            tell(f"history, round {number + 1}: columns and figures")
            bulks += long.columns() + long.figures()
    return Told(past.rows, filled_s, paces, fulls, bulks)


def _least_bytes(server: Contender) -> int:
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


def _full(server: Contender, seconds: float, least_bytes: int) -> Full:
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
