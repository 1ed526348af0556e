"""Walking over a range: whatever is read in one piece, the whole is what one page would have told."""

import asyncio
import io
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import ipc, parquet

from __tests__.examples import examples
from __tests__.history.world import heard, index_tick, perpetual_tick, spot_tick
from cryptomarket.db import Database
from cryptomarket.errors import DatabaseUnavailable
from cryptomarket.history.columnar import ArrowWriter, ParquetWriter
from cryptomarket.history.columns import Columns
from cryptomarket.history.cursors import Cursor, Order
from cryptomarket.history.formats import CsvWriter, Format, NdjsonWriter, RowWriter, Trailer
from cryptomarket.history.lines import line_of
from cryptomarket.history.look_repository import Look
from cryptomarket.history.repository import Repository
from cryptomarket.history.rows import Choice, Row
from cryptomarket.history.walk import Sizes, Walk
from cryptomarket.market.instruments import Kind

A = TypeVar("A")


def walk_of(repository: Repository, asked: Cursor, kind: Kind, form: Format, *, rows: int) -> Walk:
    writer = NdjsonWriter(None) if form is Format.NDJSON else CsvWriter(Columns(kind))
    line = line_of(form, asked.ticker, kind, None)
    return Walk(repository, asked, writer, line, is_apart=False, sizes=Sizes(rows, rows, rows))


async def told(walk: Walk) -> tuple[bytes, int]:
    pieces = [piece async for piece in walk.pieces()]
    return b"".join(piece.body for piece in pieces), sum(piece.rows for piece in pieces)


@settings(examples(12), suppress_health_check=list(HealthCheck))
@given(
    at_ms=st.lists(st.integers(100, 130), max_size=25),
    rows=st.integers(1, 9),
    order=st.sampled_from(["asc", "desc"]),
    start_ms=st.integers(95, 125),
    length_ms=st.integers(1, 40),
    form=st.sampled_from([Format.NDJSON, Format.CSV]),
)
async def test_pieces_of_any_size_are_one_scan(
    *,
    repository: Repository,
    at_ms: list[int],
    rows: int,
    order: Order,
    start_ms: int,
    length_ms: int,
    form: Format,
) -> None:
    """Promise: many rows in one millisecond, epochs that change within a window, instruments and indices, every
    boundary: nothing twice, nothing missing, in order.
    """
    own = uuid4().hex
    ticks = [index_tick(ms, f"{number}.5", ticker=own) for number, ms in enumerate(at_ms)]
    half = len(ticks) // 2
    await repository.keep(heard(ticks[:half], epoch=f"a{own}"))
    await repository.keep(heard(ticks[half:], epoch=f"b{own}"))
    end_ms = start_ms + length_ms
    asked = Cursor.at_start(own, start_ms, end_ms, order=order)
    page = await repository.page(asked, Choice(), limit=1000, begun=False)
    writer = NdjsonWriter(None) if form is Format.NDJSON else CsvWriter(Columns(Kind.INDEX))
    assert [start_ms <= row.timestamp_ms < end_ms for row in page.rows] == [True] * len(page.rows)
    keys = [(row.timestamp_ms, row.source, row.epoch or "", row.seq or 0, row.id) for row in page.rows]
    assert all(one < other if order == "asc" else one > other for one, other in pairwise(keys))
    assert len(keys) == sum(start_ms <= ms < end_ms for ms in at_ms)
    walk = walk_of(repository, asked, Kind.INDEX, form, rows=rows)
    assert await told(walk) == (writer.rows(page.rows), len(page.rows))


async def test_an_instrument_is_told_whole(repository: Repository) -> None:
    """Promise: summaries leave in both formats as a page has them, whoever writes them."""
    await repository.keep(heard([perpetual_tick(ms) for ms in range(20)]))
    asked = Cursor.at_start("BTC-PERPETUAL", 0, 20)
    page = await repository.page(asked, Choice(), limit=1000, begun=False)
    for form, write in (
        (Format.NDJSON, NdjsonWriter(None).rows),
        (Format.CSV, CsvWriter(Columns(Kind.PERPETUAL)).rows),
    ):
        walk = walk_of(repository, asked, Kind.PERPETUAL, form, rows=3)
        assert await told(walk) == (write(page.rows), 20)


def table(form: Format, body: bytes) -> list[Any]:
    """Its rows, as the library reads them."""
    read = parquet.read_table(io.BytesIO(body)) if form is Format.PARQUET else ipc.open_stream(body).read_all()
    rows: list[Any] = read.to_pylist()
    return rows


class OfLines(NdjsonWriter):
    """Hands lines to a writer of columns, which gets no rows."""

    def __init__(self, writer: RowWriter) -> None:
        super().__init__(None)
        self._writer = writer

    def rows(self, rows: Sequence[Row]) -> bytes:
        raise AssertionError(rows)

    def lines(self, text: bytes, rows: int) -> bytes:
        return self._writer.lines(text, rows)


@pytest.mark.parametrize("form", [Format.PARQUET, Format.ARROW])
@pytest.mark.parametrize("kind", [Kind.INDEX, Kind.SPOT])
async def test_columns_are_made_of_lines(repository: Repository, form: Format, kind: Kind) -> None:
    """Promise: no row of a range becomes an object of ours on its way into a column, and each is there, in order."""
    ticks = [index_tick(ms, f"{ms}.50") if kind is Kind.INDEX else spot_tick(ms) for ms in range(20)]
    await repository.keep(heard(ticks))
    ticker, line = ticks[0].ticker, line_of(form, ticks[0].ticker, kind, None)
    page = await repository.page(Cursor.at_start(ticker, 0, 20), Choice(), limit=1000, begun=False)

    made = ParquetWriter if form is Format.PARQUET else ArrowWriter
    writer, of_rows, end = made(Columns(kind)), made(Columns(kind)), Trailer(20, "", complete=True)
    asked = Cursor.at_start(ticker, 0, 20)
    walk = Walk(repository, asked, OfLines(writer), line, is_apart=True, sizes=Sizes(3, 3, 3))
    body, rows = await told(walk)
    lines = table(form, writer.begin() + body + writer.rest() + writer.end(end))
    expected = table(form, of_rows.begin() + of_rows.rows(page.rows) + of_rows.rest() + of_rows.end(end))
    assert (rows, lines) == (20, expected)
    assert len(lines) == 20


class Waiting(Repository):
    """Counts the looks that are taken, and fails at one of them."""

    def __init__(self, db: Database, *, fails_at: int) -> None:
        super().__init__(db)
        self.fails_at = fails_at
        self.looks = 0

    async def look(self, ask: Callable[[Look], A]) -> A:
        self.looks += 1
        if self.looks == self.fails_at:
            raise DatabaseUnavailable("away")
        return await super().look(ask)


async def test_one_piece_is_read_ahead_and_no_more(repository: Repository, database: Database) -> None:
    """Promise: memory has a bound whoever reads: while a piece waits for its reader, one more is read; and an error in
    that one comes after the pieces before it.
    """
    await repository.keep(heard([index_tick(ms) for ms in range(10)]))
    waiting = Waiting(database, fails_at=4)
    walk = walk_of(waiting, Cursor.at_start("btc_usd", 0, 10), Kind.INDEX, Format.NDJSON, rows=2)
    await walk.begin()
    assert waiting.looks == 1
    pieces = walk.pieces()
    assert (await anext(pieces)).rows == 2
    async with asyncio.timeout(10):
        while waiting.looks < 2:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0)  # sleep: a turn, under a deadline
    for _ in range(50):
        await asyncio.sleep(0)  # sleep: turns in which nothing may happen
    assert waiting.looks == 2
    assert [(await anext(pieces)).rows for _ in range(2)] == [2, 2]
    with pytest.raises(DatabaseUnavailable):
        await anext(pieces)


async def test_what_takes_its_time_is_written_apart(repository: Repository) -> None:
    """Promise: a format by columns is not written in the loop."""
    asked = Cursor.at_start("btc_usd", 0, 10)
    walk = Walk(repository, asked, NdjsonWriter(None), None, is_apart=True, sizes=Sizes())
    seen: list[object] = []

    def write() -> bytes:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        return b"x"

    assert await walk.write(partial(write)) == b"x"
    assert seen == []
