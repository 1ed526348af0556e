"""Lines from columns: what other ways write, by one question, or nothing."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from __tests__.history.test_lines_repository import look_at_once, objects, put
from __tests__.history.world import heard, index_tick, perpetual_tick
from cryptomarket.db import Database
from cryptomarket.history.columns import Columns
from cryptomarket.history.cursors import Cursor, Order
from cryptomarket.history.formats import CsvWriter, Format, NdjsonWriter
from cryptomarket.history.lines import Line, line_of, older_line
from cryptomarket.history.look_repository import Look
from cryptomarket.history.repository import Repository
from cryptomarket.history.routes_v1 import by_time
from cryptomarket.history.windows_repository import Ahead, Window, Written
from cryptomarket.market.instruments import Kind
from cryptomarket.market.ticks import Source, Tick

EVERYTHING = Cursor.at_start("x", 0, 10_000)


def line_for(form: Format, ticker: str, kind: Kind, *fields: str) -> Line:
    line = line_of(form, ticker, kind, fields or None)
    assert line is not None
    return line


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("source", [None, Source.STREAM])
async def test_one_question_finds_what_two_find(repository: Repository, order: Order, source: Source | None) -> None:
    """Promise: windows that are found and written at once are the windows that are found first and written then, from
    any row on; where rows share a millisecond there are none.
    """
    at_ms = [10, 11, 12, 14, 15, 19]
    await repository.keep(heard([index_tick(ms) for ms in at_ms]))
    line = line_of(Format.NDJSON, "btc_usd", Kind.INDEX, None)
    assert line is not None
    start = Cursor.at_start("btc_usd", 10, 20, order=order, source=source)
    stored = await objects(repository, start)
    for rows in range(1, 8):
        for asked in (start, *(start.after(row) for row in stored)):
            both = partial(both_ways, asked, Window(10, 20), line, rows, asked is not start)
            at_once, apart = await repository.look(both)
            assert at_once == apart
            assert at_once is not None
    await repository.keep(heard([index_tick(15, "2")], first_seq=50))
    assert await repository.look(partial(look_at_once, start, line)) is None


def both_ways(
    asked: Cursor, left: Window, line: Line, rows: int, begun: bool, look: Look
) -> tuple[Ahead | None, Ahead]:
    window, is_more = look.lines.window(asked, left, rows=rows, begun=begun)
    written = look.lines.lines(asked, window, line, most=rows, begun=begun)
    return look.lines.at_once(asked, left, line, rows=rows, begun=begun), Ahead(window, is_more, written)


@pytest.mark.parametrize("tick", [index_tick, perpetual_tick])
async def test_a_line_is_what_we_would_write(repository: Repository, tick: Callable[[int], Tick]) -> None:
    """Promise: on both databases, of an index and of an instrument, in each form and as the older filter has it."""
    one = tick(1)
    await repository.keep(heard([one, tick(2), tick(86_400_005)]))
    asked = Cursor.at_start(one.ticker, 0, 90_000_000)
    rows = await objects(repository, asked)
    chosen = ["price", "timestamp"]
    for line, writer in (
        (line_for(Format.NDJSON, one.ticker, one.kind), NdjsonWriter(None)),
        (line_for(Format.NDJSON, one.ticker, one.kind, *chosen), NdjsonWriter(chosen)),
        (line_for(Format.CSV, one.ticker, one.kind, *chosen), CsvWriter(Columns(one.kind, chosen))),
    ):
        ahead = await repository.look(partial(ahead_of, asked, line, 3))
        assert ahead is not None
        assert ahead.written is not None
        assert (ahead.written.text + line.end).encode() == writer.rows(rows)
    older = older_line(one.ticker, one.kind)
    ahead = await repository.look(partial(ahead_of, asked, older, 3))
    assert ahead is not None
    assert ahead.written is not None
    assert ahead.written.text.replace(older.end, ",") == by_time(rows)


def ahead_of(asked: Cursor, line: Line, rows: int, look: Look) -> Ahead | None:
    return look.lines.at_once(asked, Window(asked.start_ms, asked.end_ms), line, rows=rows)


@pytest.mark.parametrize(
    "odd",
    [
        {"timestamp_ms": 1},
        {"epoch": "e2"},
        {"epoch": "e-2"},
        {"kind": "option"},
        {"instrument_name": "y"},
        {"source": "rumour", "epoch": None, "seq": None},
        {"summary": '{"a":"\x1f"}'},
    ],
)
async def test_what_is_no_such_line_is_left_to_others(
    repository: Repository, database: Database, odd: dict[str, Any]
) -> None:
    """Promise: one row of another time, place or kind, or a text that would tear the columns, and nothing is told."""
    plain = {"timestamp_ms": 1, "seq": 1}
    line = line_for(Format.NDJSON, "x", Kind.SPOT)
    await put(database, "x", Kind.SPOT, [plain])
    assert await repository.look(partial(look_at_once, EVERYTHING, line)) is not None
    await put(database, "x", Kind.SPOT, [plain | {"timestamp_ms": 2, "seq": 2} | odd])
    assert await repository.look(partial(look_at_once, EVERYTHING, line)) is None


async def test_nothing_is_nothing(repository: Repository) -> None:
    """Promise: a window without rows has an empty text, and no more follows."""
    line = line_for(Format.NDJSON, "x", Kind.SPOT)
    told = await repository.look(partial(look_at_once, EVERYTHING, line))
    assert told == Ahead(Window(0, 10_000), is_more=False, written=Written("", 0))


@pytest.mark.parametrize("form", [Format.NDJSON, Format.CSV])
async def test_several_sources_are_told_at_once(repository: Repository, database: Database, form: Format) -> None:
    """Promise: rows that are collected beside the stream leave in the same question, without a position."""
    await repository.keep(heard([index_tick(ms) for ms in (10, 20, 30)]))
    collected = {"source": "collected", "epoch": None, "seq": None, "price": Decimal(7)}
    await put(database, "btc_usd", Kind.INDEX, [collected | {"timestamp_ms": ms} for ms in (5, 25)])
    asked, line = Cursor.at_start("btc_usd", 0, 100), line_for(form, "btc_usd", Kind.INDEX)
    writer = NdjsonWriter(None) if form is Format.NDJSON else CsvWriter(Columns(Kind.INDEX))
    rows = await objects(repository, asked)
    assert [row.source for row in rows] == ["collected", "stream", "stream", "collected", "stream"]
    found = await repository.look(partial(ahead_of, asked, line, 10))
    assert found is not None
    assert found.written is not None
    assert (found.written.text + line.end).encode() == writer.rows(rows)
