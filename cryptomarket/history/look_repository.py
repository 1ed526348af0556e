"""What can be read in one look at the database."""

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Integer,
    Select,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
)

from cryptomarket.db import Prepared, Writing, plan_for_values
from cryptomarket.history.cursors import Cursor, Order
from cryptomarket.history.keyset_repository import Passed, beyond, in_order, row_of
from cryptomarket.history.lines import Line
from cryptomarket.history.lines_repository import LinesLook
from cryptomarket.history.rows import Choice, Row, StoredGap
from cryptomarket.history.states_repository import was_live
from cryptomarket.history.tables import gaps, price_tickers
from cryptomarket.history.timestamps import END_OF_TIME_MS
from cryptomarket.history.totals_repository import Totals, totals
from cryptomarket.history.windows_repository import Window, within
from cryptomarket.market.candles import PricePoint
from cryptomarket.market.position import Position
from cryptomarket.market.ticks import Source

_row = price_tickers.c
ROWS = select(*(_row[name] for name in Row._fields))
_PRICES = select(*(_row[name] for name in PricePoint._fields))
_GAPS = select(*(gaps.c[name] for name in StoredGap._fields))
# Statements are made once: making one takes longer than SQLite takes to answer it.
_ticker: BindParameter[Any] = bindparam("ticker")
_start: BindParameter[Any] = bindparam("start_ms")
_end: BindParameter[Any] = bindparam("end_ms")
_OVERLAPPING = Prepared(
    _GAPS.where(gaps.c.ticker == _ticker, gaps.c.to_ms > _start, gaps.c.from_ms < _end)
    .order_by(gaps.c.from_ms, gaps.c.to_ms, gaps.c.id)
    .limit(bindparam("limit", type_=Integer()))
)
_MINE = select(_row.timestamp_ms).where(_row.ticker == _ticker).limit(1)
_STREAMED = _MINE.where(_row.source == Source.STREAM.value)
_FIRST_STREAMED = Prepared(_STREAMED.order_by(_row.timestamp_ms))
_OTHERS = Prepared(
    _MINE.where(
        _row.source != Source.STREAM.value,
        _row.timestamp_ms >= _start,
        _row.timestamp_ms < _end,
        _row.id <= bindparam("newest_id"),
    )
)
_EXTENT = Prepared(
    select(
        _MINE.order_by(_row.timestamp_ms).scalar_subquery(),
        _STREAMED.order_by(_row.timestamp_ms).scalar_subquery(),
        _STREAMED.where(or_(_row.epoch != bindparam("epoch"), _row.seq <= bindparam("seq")))
        .order_by(_row.timestamp_ms.desc())
        .scalar_subquery(),
        func.coalesce(select(func.max(_row.id)).scalar_subquery(), 0),
    )
)


class Page(NamedTuple):
    """Rows in the order of the cursor that asked, and whether more follow."""

    rows: list[Row]
    more: bool


class Text(NamedTuple):
    """The rows of a page as lines, each but the last with its end; and the last row, when more follow."""

    text: str
    rows: int
    last: Row | None


class Believed(NamedTuple):
    """Believed rows as lines, each but the last with its end, and whether more follow."""

    text: str
    rows: int
    more: bool


class Extent(NamedTuple):
    """The exchange times of a ticker's first row, of its first stream row, and of the stream row before which no other
    is still on its way; and the highest id of all rows that are committed. (Of two who write to PostgreSQL at once, one
    may commit lower ones later.)
    """

    first_ms: int | None
    first_stream_ms: int | None
    settled_ms: int | None
    newest_id: int


def _of(ticker: str, choice: Choice) -> ColumnElement[bool]:
    mine = _row.ticker == ticker
    if choice.source is not None:
        mine = and_(mine, _row.source == choice.source.value)
    if not choice.believed_only:
        return mine
    streamed = price_tickers.alias("stream_rows").c
    first_ms = (
        select(streamed.timestamp_ms)
        .where(streamed.ticker == ticker, streamed.source == Source.STREAM.value)
        .order_by(streamed.timestamp_ms)
        .limit(1)
        .scalar_subquery()
    )
    before_stream = _row.timestamp_ms < func.coalesce(first_ms, END_OF_TIME_MS)
    in_gap = exists().where(
        gaps.c.ticker == ticker, gaps.c.from_ms <= _row.timestamp_ms, gaps.c.to_ms > _row.timestamp_ms
    )
    return and_(mine, or_(_row.source == Source.STREAM.value, before_stream, in_gap))


def _left(asked: Cursor, *, begun: bool) -> Window:
    """What is left of a question's range: of two bounds SQLite takes the first one, and would pass all rows again that
    lie between the start and the cursor.
    """
    if not begun:
        return Window(asked.start_ms, asked.end_ms)
    if asked.order == "asc":
        return Window(asked.timestamp_ms, asked.end_ms)
    return Window(asked.start_ms, asked.timestamp_ms + 1)


@cache
def _last(order: Order, *, has_source: bool) -> Select[Any]:
    """The last row of a window, in this order."""
    backwards = in_order(ROWS, "desc" if order == "asc" else "asc").limit(1)
    return backwards.where(*within(has_source=has_source))


class Look:
    """One state of the database, and what can be read in it. Lives inside `Repository.look`."""

    def __init__(self, connection: Connection, writing: Writing) -> None:
        self._connection = connection
        self._writing = writing
        self.lines = LinesLook(connection, writing)

    def page(self, asked: Cursor, choice: Choice, *, limit: int, begun: bool) -> Page:
        """At most `limit` rows of the cursor's question: after its row when it has `begun`, else from the start."""
        if choice.believed_only:
            plan_for_values(self._connection)
        left = _left(asked, begun=begun)
        wanted = in_order(ROWS, asked.order).where(
            _of(asked.ticker, choice),
            _row.timestamp_ms >= left.start_ms,
            _row.timestamp_ms < left.end_ms,
            _row.id <= asked.newest_id,
        )
        if begun:
            wanted = wanted.where(beyond(Passed.of(asked)))
        found = [Row._make(row) for row in self._connection.execute(wanted.limit(limit + 1), row_of(asked)).all()]
        return Page(found[:limit], len(found) > limit)

    def text(self, asked: Cursor, line: Line, *, limit: int, begun: bool) -> Text | None:
        """The same rows as `page` has, as lines; None where the database can't write all of them."""
        left = _left(asked, begun=begun)
        window, is_more, written = self.lines.ahead(asked, left, line, rows=limit, begun=begun)
        if written is None or (is_more and written.rows != limit):
            return None
        return Text(*written, last=self._last(asked, window) if is_more else None)

    def believed(self, asked: Cursor, line: Line, *, limit: int) -> Believed | None:
        """The first `limit` rows that are believed, as lines; None where the database can't write all of them."""
        of_stream = msgspec.structs.replace(asked, source=Source.STREAM)
        found = self.lines.of_stream(of_stream, Window(asked.start_ms, asked.end_ms), line, rows=limit)
        if found is None or found.written is None or not self._is_all(asked, found.window):
            return None
        return Believed(*found.written, more=found.is_more)

    def _is_all(self, asked: Cursor, window: Window) -> bool:
        """Whether no row of a window is believed but those of the stream."""
        if self.counts_stream_alone(asked.ticker, *window):
            return True
        given = {"ticker": asked.ticker, "newest_id": asked.newest_id, **window._asdict()}
        return not _OTHERS.all(self._connection, given)

    def counts_stream_alone(self, ticker: str, start_ms: int, end_ms: int) -> bool:
        """Whether rows of other sources count for nothing in [start_ms, end_ms): the stream was heard before, and no
        gap is recorded.
        """
        asked = {"ticker": ticker, "start_ms": start_ms, "end_ms": end_ms, "limit": 1}
        first = _FIRST_STREAMED.all(self._connection, asked)
        return bool(first) and first[0][0] <= start_ms and not _OVERLAPPING.all(self._connection, asked)

    def _last(self, asked: Cursor, window: Window) -> Row:
        given = {"ticker": asked.ticker, "newest_id": asked.newest_id, "source": asked.source, **window._asdict()}
        last = _last(asked.order, has_source=asked.source is not None)
        return Row._make(self._connection.execute(last, given).one())

    def gaps(self, ticker: str, start_ms: int, end_ms: int, *, limit: int) -> list[StoredGap]:
        """Recorded gaps that overlap [start_ms, end_ms), oldest first."""
        asked = {"ticker": ticker, "start_ms": start_ms, "end_ms": end_ms, "limit": limit}
        return [StoredGap._make(row) for row in _OVERLAPPING.all(self._connection, asked)]

    def prices(
        self, ticker: str, start_ms: int, end_ms: int, *, newest_id: int, at_once: int = 5000
    ) -> Iterator[list[PricePoint]]:
        """The believed prices of [start_ms, end_ms) in order, in pieces, so that no range is ever held whole."""
        plan_for_values(self._connection)
        is_alone = self.counts_stream_alone(ticker, start_ms, end_ms)
        believed = Choice(source=Source.STREAM) if is_alone else Choice(believed_only=True)
        wanted = in_order(_PRICES, "asc").where(
            _of(ticker, believed),
            _row.timestamp_ms >= start_ms,
            _row.timestamp_ms < end_ms,
            _row.id <= newest_id,
            _row.price.is_not(None),
        )
        with self._connection.execute(wanted, execution_options={"yield_per": at_once}) as result:
            for piece in result.partitions():
                yield [PricePoint._make(row) for row in piece]

    def totals(
        self, ticker: str, start_ms: int, end_ms: int, *, newest_id: int, source: Source | None = None
    ) -> Totals | None:
        """See `totals`."""
        asked = (ticker, start_ms, end_ms)
        return totals(self._connection, self._writing, *asked, newest_id=newest_id, source=source)

    def extent(self, ticker: str, *, stored_up_to: Position) -> Extent:
        """How far the rows of a ticker reach, where everything of an epoch up to a position is stored."""
        asked = {"ticker": ticker, "epoch": stored_up_to.epoch, "seq": stored_up_to.seq}
        return Extent._make(_EXTENT.one(self._connection, asked))

    def was_live(self, ticker: str, start_ms: int, end_ms: int) -> bool:
        """See `was_live`."""
        return was_live(self._connection, ticker, start_ms, end_ms)
