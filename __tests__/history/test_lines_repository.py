"""Lines that the database writes, beside those that our own writers write: byte for byte the same."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from __tests__.examples import examples
from __tests__.history.world import heard, index_tick, option_tick, perpetual_tick, spot_tick
from cryptomarket.db import Database
from cryptomarket.history.columns import Columns
from cryptomarket.history.cursors import Cursor, Order
from cryptomarket.history.formats import CsvWriter, Format, NdjsonWriter
from cryptomarket.history.leaves import leaves_of
from cryptomarket.history.lines import Line, item_line, line_of, older_line, price_line
from cryptomarket.history.look_repository import Believed, Look
from cryptomarket.history.repository import Repository
from cryptomarket.history.routes_prices import items_of, prices_of
from cryptomarket.history.routes_v1 import by_time
from cryptomarket.history.rows import Choice, Row
from cryptomarket.history.tables import price_tickers
from cryptomarket.history.timestamps import DAY_MS
from cryptomarket.history.windows_repository import Ahead, Window, Written
from cryptomarket.market.instruments import Kind
from cryptomarket.market.ticks import Gap, GapCause, Source
from cryptomarket.market.wire import encode_summary

ALL = Window(0, 10_000)
MIDNIGHT = (DAY_MS - 1, DAY_MS, DAY_MS + 43_201_234)
SUMMARIES = {
    tick.kind: encode_summary(tick.summary).decode()
    for tick in (perpetual_tick(1), option_tick(1), spot_tick(1))
    if tick.summary is not None
}
# As above, where above spells numbers with exponents: the cells of a CSV have those in a spelling of their own.
PLAIN = {kind: text.replace("8.55E+4", "85500").replace("0E-8", "0.0000") for kind, text in SUMMARIES.items()}


async def put(database: Database, ticker: str, kind: Kind, rows: Sequence[dict[str, Any]]) -> None:
    """Rows as they stand, whatever a stream would have made of them."""
    async with database.begin() as connection:
        for given_ in rows:
            row = {
                "ticker": ticker, "instrument_name": ticker, "kind": kind.value, "source": "stream", "epoch": "e1",
                "received_us": 5, "summary": SUMMARIES.get(kind),
            }  # fmt: skip
            await connection.execute(insert(price_tickers).values(row | given_))


async def objects(repository: Repository, asked: Cursor) -> list[Row]:
    page = await repository.page(asked, Choice(source=asked.source), limit=1000, begun=False)
    assert not page.more
    return page.rows


def look_ahead(asked: Cursor, line: Line, look: Look) -> Ahead:
    return look.lines.ahead(asked, ALL, line, rows=1000)


def look_at_once(asked: Cursor, line: Line, look: Look) -> Ahead | None:
    return look.lines.at_once(asked, ALL, line, rows=1000)


async def same(repository: Repository, asked: Cursor, kind: Kind, form: Format, chosen: Sequence[str] | None) -> bool:
    """Whether the database writes what we write; None is not asked here."""
    line = line_of(form, asked.ticker, kind, chosen)
    if line is None:
        return False
    written = await repository.look(lambda look: look.lines.lines(asked, ALL, line, most=1000))
    if written is None:
        return False
    rows = await objects(repository, asked)
    if line.leaves:
        text = leaves_of(kind, line.leaves).in_place_of_summaries(written.text)
        if text is None:
            return False
        written = written._replace(text=text)
    for ahead in () if line.leaves else (look_ahead, look_at_once):
        found = await repository.look(partial(ahead, asked, line))
        assert found is None or (found.window, found.written) == (ALL, written)
    writer = NdjsonWriter(chosen) if form is Format.NDJSON else CsvWriter(Columns(kind, chosen))
    assert (written.text + line.end if written.rows else "").encode() == writer.rows(rows)
    assert written.rows == len(rows)
    return True


PRICES = st.none() | st.decimals(-(10**20), 10**20, allow_nan=False, places=6) | st.sampled_from(
    [Decimal(text) for text in ("0", "0.000001", "85500.120", "-0.1", "95413.23", "1")]
)  # fmt: skip
FIELDS = ["source", "position", "seq", "prev_seq", "ticker", "instrument_name", "kind", "price", "timestamp"]


@settings(examples(40), suppress_health_check=list(HealthCheck))
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {
                "timestamp_ms": st.integers(0, 9999),
                "price": PRICES,
                "prev_seq": st.none() | st.integers(0, 2**53),
                "published_us": st.none() | st.integers(0, 2**53),
                "source": st.sampled_from(Source),
            }
        ),
        max_size=6,
    ),
    name=st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=8),
    kind=st.sampled_from(Kind),
    order=st.sampled_from(["asc", "desc"]),
    source=st.none() | st.sampled_from(Source),
    form=st.sampled_from([Format.NDJSON, Format.CSV]),
    chosen=st.none() | st.lists(st.sampled_from([*FIELDS, "received_us", "published_us", "greeks"]), min_size=1),
    is_plain=st.booleans(),
)
async def test_the_database_writes_what_we_would(
    *,
    repository: Repository,
    database: Database,
    rows: list[dict[str, Any]],
    name: str,
    kind: Kind,
    order: Order,
    source: Source | None,
    form: Format,
    chosen: list[str] | None,
    is_plain: bool,
) -> None:
    """Promise: rows of every kind, source and spelling, tickers that are formulas or full of quotes, fields chosen or
    not, either order: the same bytes as before, whenever the database writes them at all.
    """
    ticker = f"{name}{uuid4()}"
    for seq, row in enumerate(rows):
        is_streamed = row["source"] is Source.STREAM
        row |= {
            "source": row["source"].value,
            "epoch": "e1" if is_streamed else None,
            "seq": seq if is_streamed else None,
            "summary": (PLAIN if is_plain else SUMMARIES).get(kind),
        }
    await put(database, ticker, kind, rows)
    asked = Cursor.at_start(ticker, 0, 10_000, order=order, source=source)
    head_alone = kind is Kind.INDEX or (chosen is not None and not ("greeks" in chosen and kind is Kind.OPTION))
    head_alone |= form is Format.CSV
    told = await same(repository, asked, kind, form, chosen)
    names = Columns(kind, chosen).columns
    is_writable = bool(names) and (head_alone or (form is Format.NDJSON and chosen is None))
    is_writable &= form is Format.NDJSON or is_plain or PLAIN.get(kind) == SUMMARIES.get(kind)
    # A brace that is left is taken for that of a summary, whose leaves are told by our own writers then.
    is_writable &= form is Format.NDJSON or kind is Kind.INDEX or "{" not in name
    assert told or not is_writable


@pytest.mark.parametrize(
    ("odd", "kind", "only_on"),
    [
        ({"instrument_name": 'another",'}, Kind.INDEX, None),
        ({"kind": "spot"}, Kind.INDEX, None),
        ({"epoch": 'e"1'}, Kind.INDEX, None),
        ({"epoch": "=1+1"}, Kind.INDEX, None),
        ({"epoch": "e2"}, Kind.INDEX, None),
        ({"price": Decimal("0.00000012")}, Kind.INDEX, "postgresql"),
        ({"price": Decimal("0E-9")}, Kind.PERPETUAL, "postgresql"),
    ],
)
async def test_what_it_might_write_otherwise_is_left_to_us(
    repository: Repository, database: Database, odd: dict[str, Any], kind: Kind, only_on: str | None
) -> None:
    """Promise: one row of which that can't be proven, and the window is not told by the database."""
    plain = {"timestamp_ms": 1, "seq": 1, "price": Decimal(1)}
    await put(database, "x", kind, [plain, plain | {"timestamp_ms": 2, "seq": 2} | odd])
    told = await same(repository, Cursor.at_start("x", 0, 10_000), kind, Format.NDJSON, None)
    assert told is (only_on == "postgresql" and database.is_sqlite)
    assert await same(repository, Cursor.at_start("x", 0, 10_000, newest_id=1), kind, Format.NDJSON, None)


@pytest.mark.parametrize("epoch", ['e"1', "=1+1", "e-1"])
async def test_an_epoch_that_would_have_to_be_quoted_is_left_to_us(
    repository: Repository, database: Database, epoch: str
) -> None:
    """Promise: an epoch that could not stand in a line as it is is written by no question, though all rows have it."""
    await put(database, "x", Kind.INDEX, [{"timestamp_ms": ms, "seq": ms, "epoch": epoch} for ms in (1, 2)])
    asked, line = Cursor.at_start("x", 0, 10_000), line_of(Format.NDJSON, "x", Kind.INDEX, None)
    assert line is not None
    assert await repository.look(partial(look_at_once, asked, line)) is None
    assert await repository.look(partial(lines_of, asked, ALL, line)) is None


def window_of(asked: Cursor, left: Window, look: Look) -> tuple[Window, bool]:
    return look.lines.window(asked, left, rows=2)


def lines_of(asked: Cursor, window: Window, line: Line, look: Look) -> Written | None:
    return look.lines.lines(asked, window, line, most=2)


async def test_a_window_has_no_more_rows_than_it_may(repository: Repository) -> None:
    """Promise: windows follow each other to the end of the range, in either order; a millisecond is never divided, and
    where it alone is too much, nothing is told of it at once.
    """
    at_ms = [10, 11, 11, 11, 12, 15, 15, 19]
    await repository.keep(heard([index_tick(ms) for ms in at_ms]))
    line = line_of(Format.NDJSON, "btc_usd", Kind.INDEX, None)
    assert line is not None
    for order in ("asc", "desc"):
        asked, left, told = Cursor.at_start("btc_usd", 10, 20, order=order), Window(10, 20), []
        while left.start_ms < left.end_ms:
            window, _ = await repository.look(partial(window_of, asked, left))
            written = await repository.look(partial(lines_of, asked, window, line))
            told.append((window, None if written is None else written.rows))
            left = Window(window.end_ms, 20) if order == "asc" else Window(10, window.start_ms)
        windows = [window for window, _ in told]
        ordered = windows if order == "asc" else windows[::-1]
        assert [ordered[0].start_ms, *(window.end_ms for window in ordered)] == [
            *(window.start_ms for window in ordered), 20,
        ]  # fmt: skip
        counts = {tuple(window): count for window, count in told}
        assert counts[11, 12] is None
        assert sum(count or 3 for count in counts.values()) == len(at_ms)
        assert all(count is None or count <= 2 for count in counts.values())


SIBLINGS: dict[Callable[[str, Kind], Line], Callable[[list[Row]], str]] = {
    older_line: by_time,
    price_line: prices_of,
    item_line: items_of,
}


@pytest.mark.parametrize("line_of_ticker", SIBLINGS)
@settings(examples(15), suppress_health_check=list(HealthCheck))
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {
                "timestamp_ms": st.integers(0, 9999) | st.sampled_from([*MIDNIGHT, 1768768182422, 253402300799999]),
                "received_us": st.integers(0, 2**52),
                "price": PRICES | st.decimals(allow_nan=False, allow_infinity=False, min_value=-9, max_value=9)
                | st.sampled_from([Decimal("8.55E+4"), Decimal("1E-7"), Decimal("0E-9")]),
                "prev_seq": st.none() | st.integers(0, 2**53),
                "published_us": st.none() | st.integers(0, 2**53),
            }
        ),
        max_size=6,
    ),
    kind=st.sampled_from(Kind),
    order=st.sampled_from(["asc", "desc"]),
    limit=st.integers(1, 7),
    span=st.sampled_from([Window(0, 253402300800000), Window(0, DAY_MS), Window(MIDNIGHT[0], MIDNIGHT[-1] + 1)]),
)  # fmt: skip
async def test_older_shapes_are_written_as_by_us(
    *,
    repository: Repository,
    database: Database,
    line_of_ticker: Callable[[str, Kind], Line],
    rows: list[dict[str, Any]],
    kind: Kind,
    order: Order,
    limit: int,
    span: Window,
) -> None:
    """Promise: the older filter's rows and those of both siblings are the same bytes, in either order, to the digit;
    and the database writes them whenever no two share a millisecond and no price is spelled otherwise.
    """
    ticker = f"x_{uuid4()}"
    await repository.make_places(row["timestamp_ms"] for row in rows)
    await put(database, ticker, kind, [row | {"seq": seq} for seq, row in enumerate(rows)])
    asked = Cursor.at_start(ticker, *span, order=order)
    line = line_of_ticker(ticker, kind)
    found = await repository.look(partial(believed_of, asked, line, limit))
    page = await repository.page(asked, Choice(believed_only=True), limit=limit, begun=False)
    if found is not None:
        told = found.text.replace(line.end, ",")
        assert (told, found.rows, found.more) == (SIBLINGS[line_of_ticker](page.rows), len(page.rows), page.more)
    rows = [row for row in rows if span.start_ms <= row["timestamp_ms"] < span.end_ms]
    prices = [str(row["price"]) for row in rows]
    is_single = len({row["timestamp_ms"] for row in rows}) == len(rows)
    assert found is not None or not is_single or any("E" in price for price in prices)


async def test_a_row_too_many_does_not_stand_for_one_too_few(repository: Repository, database: Database) -> None:
    """Promise: where the last row shares its millisecond with another, and an earlier one is no such line, none is told
    for the other.
    """
    rows: list[dict[str, Any]] = [{"timestamp_ms": ms, "price": Decimal(1)} for ms in (1, 2, 3, 4, 4)]
    odd = {"timestamp_ms": 0, "price": Decimal("8.55E+4")}
    await put(database, "x", Kind.INDEX, [row | {"seq": seq} for seq, row in enumerate([odd, *rows])])
    asked, line = Cursor.at_start("x", 0, 10), item_line("x", Kind.INDEX)
    found = await repository.look(partial(believed_of, asked, line, 4))
    page = await repository.page(asked, Choice(believed_only=True), limit=4, begun=False)
    assert [row.timestamp_ms for row in page.rows] == [0, 1, 2, 3]
    assert found is None or found.text.replace(line.end, ",") == items_of(page.rows)
    assert found is None or not database.is_sqlite


def believed_of(asked: Cursor, line: Line, limit: int, look: Look) -> Believed | None:
    return look.believed(asked, line, limit=limit)


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_what_lies_beside_the_stream_is_judged_by_us(
    repository: Repository, database: Database, order: Order
) -> None:
    """Promise: with one row of another source, another epoch or another name among those that are asked for, what is
    told is what is believed, one row after the other, or nothing; beyond the limit it is nobody's matter.
    """
    plain: dict[str, Any] = {"price": Decimal(1)}
    line = older_line("x", Kind.INDEX)
    others: list[dict[str, Any]] = [
        {"source": "collected", "epoch": None, "seq": None}, {"epoch": "e2"}, {"instrument_name": "y"}
    ]  # fmt: skip
    for place, odd in enumerate(others):
        start_ms = place * 100
        rows = [plain | {"timestamp_ms": start_ms + at, "seq": start_ms + at} for at in (1, 2, 4, 5)]
        await put(database, "x", Kind.INDEX, [*rows, plain | {"seq": start_ms + 3, "timestamp_ms": start_ms + 3} | odd])
        asked = Cursor.at_start("x", start_ms, start_ms + 100, order=order)
        for limit in range(1, 7):
            found = await repository.look(partial(believed_of, asked, line, limit))
            page = await repository.page(asked, Choice(believed_only=True), limit=limit, begun=False)
            assert found is not None or limit > 1
            if found is not None:
                told = found.text.replace(line.end, ",")
                assert (told, found.rows, found.more) == (by_time(page.rows), len(page.rows), page.more)


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("begun", [False, True])
async def test_no_row_of_an_index_is_looked_for(sqlite_url: str, order: Order, *, begun: bool) -> None:
    """Promise: on SQLite the lines of an index, and where they end, come from one index in its own order; sorted are at
    most the rows of one millisecond.
    """
    database = Database(sqlite_url)
    repository = Repository(database)
    await repository.keep(heard([index_tick(ms) for ms in (10, 11, 12, 12, 15, 19)]))
    asked = Cursor.at_start("btc_usd", 10, 20, order=order)
    stored = await objects(repository, asked)
    asked = asked.after(stored[0]) if begun else asked
    for line in (line_of(Format.NDJSON, "btc_usd", Kind.INDEX, None), older_line("btc_usd", Kind.INDEX)):
        assert line is not None
        plans = await repository.look(partial(plans_of, partial(written, asked, line, begun)))
        assert plans
        for plan in plans:
            sorts = {step for step in plan if "TEMP B-TREE" in step}
            assert sorts <= {"USE TEMP B-TREE FOR RIGHT PART OF ORDER BY", "USE TEMP B-TREE FOR count(DISTINCT)"}, plan
            tables = [step for step in plan if "price_tickers" in step]
            assert tables, plan
            assert all("COVERING INDEX ix_price_tickers_lines (ticker=? AND timestamp_ms" in step for step in tables)
    await database.close()


def written(asked: Cursor, line: Line, begun: bool, look: Look) -> None:
    for rows in (2, 3, 1000):
        assert look.lines.ahead(asked, ALL, line, rows=rows, begun=begun).written


def plans_of(ask: Callable[[Look], None], look: Look) -> list[list[str]]:
    """How SQLite answers the questions of a look, step by step (sqlite.org/eqp.html)."""
    driver: Any = look.lines._connection.connection.driver_connection  # noqa: SLF001 - there is no other way to it
    asked: list[str] = []
    driver.set_trace_callback(asked.append)
    ask(look)
    driver.set_trace_callback(None)
    return [[row[-1] for row in driver.execute(f"EXPLAIN QUERY PLAN {text}")] for text in asked]


async def test_collected_rows_beside_the_stream_change_nothing(repository: Repository, database: Database) -> None:
    """Promise: a ticker that is collected each minute, too, is told by the database all the same: where the stream was
    heard such rows count for nothing, and in a recorded gap, or before the stream, they do.
    """
    words = [index_tick(ms) for ms in (10, 20, 30)]
    await repository.keep(heard([*words, Gap("btc_usd", 40, 60, GapCause.SILENCE), index_tick(60), index_tick(70)]))
    collected: dict[str, Any] = {"source": "collected", "epoch": None, "seq": None, "price": Decimal(7)}
    await put(database, "btc_usd", Kind.INDEX, [collected | {"timestamp_ms": ms} for ms in (5, 15, 25, 35, 65)])
    line = older_line("btc_usd", Kind.INDEX)
    for start_ms, end_ms, is_told in ((10, 40, True), (60, 80, True), (10, 80, False), (0, 40, False), (5, 9, False)):
        asked = Cursor.at_start("btc_usd", start_ms, end_ms)
        found = await repository.look(partial(believed_of, asked, line, 100))
        page = await repository.page(asked, Choice(believed_only=True), limit=100, begun=False)
        assert (found is not None) is is_told, (start_ms, end_ms)
        assert found is None or found.text.replace(line.end, ",") == by_time(page.rows)
