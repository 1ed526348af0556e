"""Long ranges in one answer: as files of every format, and as the figures that are folded from them."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from itertools import count
from typing import NamedTuple

import msgspec

from benchmarks.asking import Connection, Read, on_the_other_core
from benchmarks.contenders import Contender
from benchmarks.past import BEGINS_MS, INSTRUMENT, Past

_INDEX = "/api/v2/ticks/btc_usd"
RESOLUTION_MIN = 5
_LOOK_S = 0.01
# A figure that was told is kept: each time another range is asked for.
_ASKED = count(1)


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


class _Wish(NamedTuple):
    """What is asked of whom, and how many rows it is made of."""

    server: Contender
    form: str
    rows: int
    path: str
    proof: Callable[[Connection, Read], bool]


class _Facts(msgspec.Struct):
    """What the product says became of an export."""

    state: str
    rows: int


@dataclass(frozen=True)
class Ranges:
    """What is asked of the product, of ranges of so many rows each, and of the rival, of `few`. `rest_mb` is what each
    of them held before anybody had asked for anything.
    """

    product: Contender
    rival: Contender
    past: Past
    lengths: tuple[int, ...]
    few: int
    rest_mb: dict[str, float]
    tell: Callable[[str], None]

    def lines(self) -> list[Bulk]:
        """One round of what is told row by row."""
        return self._asked([*self._files("csv"), *self._files("ndjson"), self._of_rival("json", "/ticks")])

    def columns(self) -> list[Bulk]:
        """One round of what is told column by column. The library that it takes stays in memory."""
        of_rival = self._of_rival("parquet, by pandas", "/parquet")
        return self._asked([*self._files("parquet"), *self._files("arrow"), of_rival])

    def figures(self) -> list[Bulk]:
        """One round of what is folded."""
        return self._asked([*self._folded(), self._of_rival("candles, by pandas", "/candles")])

    def _asked(self, wishes: Iterable[_Wish]) -> list[Bulk]:
        found = []
        for wish in wishes:
            self.tell(f"history: {wish.form} of {wish.rows:,} rows, {wish.server.who}")
            found.append(_asked(wish, self.rest_mb[wish.server.who]))
        return found

    def _files(self, form: str) -> Iterator[_Wish]:
        for rows in self.lengths:
            path = f"{_INDEX}?format={form}&{self._between(rows)}"
            yield _Wish(self.product, form, rows, path, _whole(self.past.told(rows)))
        rows = self.past.of_instrument
        path = f"/api/v2/ticks/{INSTRUMENT}?format={form}&{self._between(rows)}"
        yield _Wish(self.product, f"{form}, instrument", rows, path, _whole(rows))

    def _folded(self) -> Iterator[_Wish]:
        for rows in self.lengths:
            shift_ms = next(_ASKED)
            between = self._between(rows, shift_ms=shift_ms)
            yield _Wish(self.product, "statistics", rows, f"{_INDEX}/stats?{between}", _counts(rows))
            of_all = _counts(self.past.told(rows))
            yield _Wish(self.rival, "statistics, by floats in SQL", rows, f"/stats?ticker=btc_usd&{between}", of_all)
        for rows in (self.few, *self.lengths):
            path = f"/api/v2/candles/btc_usd?resolution={RESOLUTION_MIN}&{self._between(rows)}"
            yield _Wish(self.product, f"candles of {RESOLUTION_MIN} min", rows, path, _anything)

    def _of_rival(self, form: str, path: str) -> _Wish:
        return _Wish(self.rival, form, self.few, f"{path}?ticker=btc_usd&{self._between(self.few)}", _anything)

    def _between(self, rows: int, *, shift_ms: int = 0) -> str:
        return f"start={BEGINS_MS}&end={self.past.end_ms(rows) - shift_ms}"


def _whole(rows: int) -> Callable[[Connection, Read], bool]:
    """Whether the product itself says, afterwards, that so many rows were told."""

    def is_whole(connection: Connection, read: Read) -> bool:
        status, body = connection.get(f"/api/v2/exports/{read.request_id}")
        return status == HTTPStatus.OK and msgspec.json.decode(body, type=_Facts) == _Facts("done", rows)

    return is_whole


def _counts(rows: int) -> Callable[[Connection, Read], bool]:
    """Whether so many prices were counted."""

    def counts(_connection: Connection, read: Read) -> bool:
        return f'"count":{rows},'.encode() in read.tail

    return counts


def _anything(_connection: Connection, read: Read) -> bool:
    return read.size > 0


def _asked(wish: _Wish, rest_mb: float) -> Bulk:
    server = wish.server
    with on_the_other_core(), _highest(server) as highest:
        connection = Connection(server.port, server.headers)
        cpu_s, beside_s = server.cpu_s, server.beside_cpu_s
        read = connection.read_through(wish.path)
        used_s, beside_used_s = server.cpu_s - cpu_s, server.beside_cpu_s - beside_s
        if not wish.proof(connection, read):
            raise ValueError(f"{wish.path}: it was not all told")
        connection.close()
    return Bulk(
        server.who,
        wish.form,
        wish.rows,
        read.took_s,
        read.size / 1e6,
        used_s / read.took_s,
        beside_used_s / read.took_s,
        max(0.0, highest[0] - rest_mb),
    )


@contextmanager
def _highest(server: Contender) -> Iterator[list[float]]:
    """The most megabytes that are seen while the block lasts, from outside."""
    highest, is_over = [0.0], threading.Event()

    def look() -> None:
        is_last = False
        while not is_last:
            is_last = is_over.wait(_LOOK_S)
            highest[0] = max(highest[0], server.resident_mb)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield highest
    finally:
        is_over.set()
        looking.join()
