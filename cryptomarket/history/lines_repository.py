"""The SQL that writes rows as lines: a window of a range in one text, so that no row becomes an object of ours."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    case,
    distinct,
    func,
    literal,
    select,
)

from cryptomarket.db import Piece, Prepared, Unit, Writing, bound_together
from cryptomarket.history.cursors import Cursor, Order
from cryptomarket.history.keyset_repository import Passed, beyond, in_order, row_of
from cryptomarket.history.lines import Blank, Line
from cryptomarket.history.tables import price_tickers
from cryptomarket.market.ticks import Source

_row = price_tickers.c
# What may stand between quotes, and in a cell, as it is.
_PLAIN = re.compile(r"[0-9A-Za-z]*")
_ROWS = bindparam("rows", type_=Integer())


class Window(NamedTuple):
    """A part of a range: [start_ms, end_ms)."""

    start_ms: int
    end_ms: int


class Written(NamedTuple):
    """Rows as lines, each but the last with its end."""

    text: str
    rows: int


class Ahead(NamedTuple):
    """A window, whether more rows follow it, and its lines; None where only our own writers write them."""

    window: Window
    is_more: bool
    written: Written | None


class Place(NamedTuple):
    """What all rows of a window have in common; of their epoch they may each tell themselves."""

    source: str
    epoch: str | ColumnElement[str] | None
    has_one_day: bool = False


class _First(NamedTuple):
    """How many the first rows of a window are, how many different times they have, the last of these; and what the
    first of all tells of its place.
    """

    rows: int
    times: int
    last_ms: int
    source: str | None
    epoch: str | None


class LinesLook:
    """Reads lines in one look at the database."""

    def __init__(self, connection: Connection, writing: Writing) -> None:
        self._connection = connection
        self._writing = writing

    def ahead(self, asked: Cursor, left: Window, line: Line, *, rows: int, begun: bool = False) -> Ahead:
        """The next window, see `window`, and its lines, see `lines`: by one question, where questions travel."""
        if not self._writing.is_sqlite:
            found = self.at_once(asked, left, line, rows=rows, begun=begun)
            if found is not None:
                return found
        first = self._first(asked, left, rows=rows + 1, begun=begun)
        if first.rows <= rows:
            return Ahead(left, is_more=False, written=self._written(asked, left, line, first, begun=begun))
        if first.times == first.rows:
            window = Window(left.start_ms, first.last_ms) if asked.order == "asc" else _after(first.last_ms, left)
            counted = first._replace(rows=rows, times=rows)
            return Ahead(window, is_more=True, written=self._written(asked, window, line, counted, begun=begun))
        window, is_more = self.window(asked, left, rows=rows, begun=begun)
        return Ahead(window, is_more, self.lines(asked, window, line, most=rows, begun=begun))

    def at_once(self, asked: Cursor, left: Window, line: Line, *, rows: int, begun: bool = False) -> Ahead | None:
        """The same by one question, of rows of the stream alone; None where rows share a millisecond, so that a window
        might end within one, or where one of them is not such a line.
        """
        kind = _Kind(self._writing, line, asked.order, asked.source is not None, _passed(asked, begun=begun))
        found = _one_look(kind).one(self._connection, _given(asked, left, rows + 1))
        text, count, written, times, last_ms, epoch, other_epoch = found
        if count == 0:
            return Ahead(left, is_more=False, written=Written("", 0))
        if not (count == written == times and epoch == other_epoch and _PLAIN.fullmatch(epoch)):
            return None
        if count <= rows:
            return Ahead(left, is_more=False, written=Written(text, count))
        is_asc = asked.order == "asc"
        window = Window(left.start_ms, last_ms) if is_asc else _after(last_ms, left)
        return Ahead(window, is_more=True, written=Written(text[: text.rindex(line.end)], rows))

    def window(self, asked: Cursor, left: Window, *, rows: int, begun: bool = False) -> tuple[Window, bool]:
        """The part of `left` that comes first in the question's order and has at most `rows` rows of it, or one
        millisecond, when that alone has more; and whether there are more rows in all of it. When it has `begun`, rows
        up to the cursor's are none of it.
        """
        boundary = _boundary(asked.order, _passed(asked, begun=begun), has_source=asked.source is not None)
        found = boundary.all(self._connection, _given(asked, left, rows))
        if not found:
            return left, False
        first_of_next_ms: int = found[0][0]
        if asked.order == "asc":
            return Window(left.start_ms, max(first_of_next_ms, left.start_ms + 1)), True
        return Window(min(first_of_next_ms + 1, left.end_ms - 1), left.end_ms), True

    def of_stream(self, asked: Cursor, left: Window, line: Line, *, rows: int) -> tuple[Written, bool] | None:
        """The first `rows` rows, and whether one more follows that is such a row, too; None where they can't be
        written, are not of the stream alone, or two of them share a millisecond.
        """
        if not self._writing.is_sqlite:
            found = self.at_once(asked, left, line, rows=rows)
            return None if found is None or found.written is None else (found.written, found.is_more)
        first = self._first(asked, left, rows=rows + 1)
        if first.rows and (first.times != first.rows or first.source != Source.STREAM.value):
            return None
        if first.rows <= rows:
            written = self._written(asked, left, line, first)
            return None if written is None else (written, False)
        is_asc = asked.order == "asc"
        window = Window(left.start_ms, first.last_ms + 1) if is_asc else Window(first.last_ms, left.end_ms)
        # If the last of them shares its millisecond with what follows, there are more lines than were counted.
        written = self._written(asked, window, line, first)
        return None if written is None else (Written(written.text[: written.text.rindex(line.end)], rows), True)

    def lines(self, asked: Cursor, window: Window, line: Line, *, most: int, begun: bool = False) -> Written | None:
        """The question's rows of a window, in its order; None where they are more than `most`, of several sources or
        epochs, or where one of them is not such a line.
        """
        counted = self._first(asked, window, rows=most + 1, begun=begun)
        return None if counted.rows > most else self._written(asked, window, line, counted, begun=begun)

    def _first(self, asked: Cursor, left: Window, *, rows: int, begun: bool = False) -> _First:
        """What the first `rows` rows are, in the question's order."""
        first = _first(asked.order, _passed(asked, begun=begun), has_source=asked.source is not None)
        return _First._make(first.one(self._connection, _given(asked, left, rows)))

    def _written(
        self, asked: Cursor, window: Window, line: Line, counted: _First, *, begun: bool = False
    ) -> Written | None:
        """The rows of a window that were counted, as lines; None where there are others, or not all are such."""
        if counted.rows == 0:
            return Written("", 0)
        if counted.source is None or not _PLAIN.fullmatch(counted.epoch or ""):
            return None
        has_one_day = line.has_moments and _day_of(window.start_ms) == _day_of(window.end_ms - 1)
        place, is_single = Place(counted.source, counted.epoch, has_one_day), counted.times == counted.rows
        passed = _passed(asked, begun=begun)
        form = _Form(self._writing, line, place, asked.order, is_single, asked.source is not None, passed)
        text, written = _all_lines(form).one(self._connection, _given(asked, window, counted.rows + 1))
        return Written(text, written) if written == counted.rows else None


class _Form(NamedTuple):
    """What a statement is made for, once: making one takes longer than SQLite takes to answer it."""

    writing: Writing
    line: Line
    place: Place
    order: Order
    has_single_times: bool
    has_source: bool
    passed: Passed | None


class _Kind(NamedTuple):
    """The same of a statement that finds out by itself where its rows end, and what they have in common."""

    writing: Writing
    line: Line
    order: Order
    has_source: bool
    passed: Passed | None


def _passed(asked: Cursor, *, begun: bool) -> Passed | None:
    return Passed.of(asked) if begun else None


def _given(asked: Cursor, window: Window, rows: int | None = None) -> dict[str, object]:
    day = _day_of(window.start_ms)
    given = {"ticker": asked.ticker, "newest_id": asked.newest_id, "rows": rows, "day": day, **window._asdict()}
    return given | row_of(asked) | ({} if asked.source is None else {"source": asked.source.value})


def _after(last_ms: int, left: Window) -> Window:
    return Window(last_ms + 1, left.end_ms)


def _day_of(timestamp_ms: int) -> str:
    return datetime.fromtimestamp(timestamp_ms / 1000, UTC).date().isoformat()


def within(*, has_source: bool, passed: Passed | None = None) -> list[ColumnElement[bool]]:
    """What holds for the rows of a question that lie in a window, behind one that was passed if there is such; their
    values are given when it is asked.
    """
    conditions = [
        _row.ticker == bindparam("ticker"),
        _row.timestamp_ms >= bindparam("start_ms"),
        _row.timestamp_ms < bindparam("end_ms"),
        _row.id <= bindparam("newest_id"),
    ]
    conditions += [beyond(passed)] if passed is not None else []
    return [*conditions, _row.source == bindparam("source")] if has_source else conditions


@cache
def _boundary(order: Order, passed: Passed | None, *, has_source: bool) -> Prepared:
    key = _row.timestamp_ms if order == "asc" else _row.timestamp_ms.desc()
    wanted = select(_row.timestamp_ms).where(*within(has_source=has_source, passed=passed))
    return Prepared(wanted.order_by(key).offset(_ROWS).limit(1))


@cache
def _first(order: Order, passed: Passed | None, *, has_source: bool) -> Prepared:
    key = _row.timestamp_ms if order == "asc" else _row.timestamp_ms.desc()
    conditions = within(has_source=has_source, passed=passed)
    # The lines of all others are held against it.
    one = select(_row.source, _row.epoch).where(*conditions).order_by(key).limit(1).subquery()
    times = select(_row.timestamp_ms).where(*conditions).order_by(key).limit(_ROWS).subquery().c.timestamp_ms
    return Prepared(
        select(
            func.count(),
            func.count(distinct(times)),
            func.max(times) if order == "asc" else func.min(times),
            select(one.c.source).scalar_subquery(),
            select(one.c.epoch).scalar_subquery(),
        )
    )


def _lines(form: _Form) -> Select[Any]:
    wanted = select(_joined(form.writing, form.line, form.place).label("line")).where(
        *within(has_source=form.has_source, passed=form.passed), *_like(form.writing, form.line, form.place)
    )
    if form.has_single_times:
        wanted = wanted.order_by(_row.timestamp_ms if form.order == "asc" else _row.timestamp_ms.desc())
    else:
        wanted = in_order(wanted, form.order)
    # As many as there are, and more: an order without a limit might be left out of a subquery.
    return wanted.limit(_ROWS)


@lru_cache(maxsize=1024)
def _one_look(kind: _Kind) -> Prepared:
    """Lines, rows, lines again, different times, the last of them, and the epoch, twice if all rows have one."""
    is_asc = kind.order == "asc"
    place = Place(Source.STREAM.value, _row.epoch)
    # Judged row by row, and not left out: PostgreSQL would guess that hardly any remain, and fetch and sort them.
    is_such = and_(*_like(kind.writing, kind.line, place))
    line = case((is_such, _joined(kind.writing, kind.line, place))).label("line")
    wanted = select(line, _row.timestamp_ms, _row.epoch)
    wanted = wanted.where(*within(has_source=kind.has_source, passed=kind.passed))
    rows = wanted.order_by(_row.timestamp_ms if is_asc else _row.timestamp_ms.desc()).limit(_ROWS).subquery().columns
    return Prepared(
        select(
            bound_together(rows.line, kind.line.end),
            func.count(),
            func.count(rows.line),
            func.count(distinct(rows.timestamp_ms)),
            func.max(rows.timestamp_ms) if is_asc else func.min(rows.timestamp_ms),
            func.min(rows.epoch),
            func.max(rows.epoch),
        )
    )


@lru_cache(maxsize=1024)
def _all_lines(form: _Form) -> Prepared:
    found = _lines(form).subquery()
    return Prepared(select(bound_together(found.c.line, form.line.end), func.count()))


def _like(writing: Writing, line: Line, place: Place) -> list[ColumnElement[bool]]:
    """What holds for rows that can be written so."""
    return [
        _row.instrument_name == line.ticker,
        _row.kind == line.kind.value,
        _row.source == place.source,
        _row.epoch.is_(None) if place.epoch is None else _row.epoch == place.epoch,
        writing.is_plain(_row.price) if line.is_plain else writing.is_spelled_alike(_row.price),
    ]


def _joined(writing: Writing, line: Line, place: Place) -> ColumnElement[str]:
    pieces: list[Piece] = []
    for piece in line.pieces:
        pieces += [piece] if isinstance(piece, str) else _filled(writing, piece, place)
    return writing.joined(pieces)


def _filled(writing: Writing, blank: Blank, place: Place) -> Sequence[Piece]:
    quote, absent = blank.quote, blank.absent or ""
    match blank.column:
        case "source":
            return [f"{quote}{place.source}{quote}"]
        case "position" | "seq" if place.epoch is None:
            return [absent]
        case "position" if place.epoch is not None:
            return [quote, place.epoch, "-", _row.seq, quote]
        case "summary":
            rest = writing.joined([",", func.substr(_row.summary, 2)])
            return [case((_row.summary.is_(None), literal(absent)), else_=rest)]
        case "whole_summary":
            return [writing.shown(_row.summary, absent=absent)]
        case "seq":
            return [_row.seq]
        case "spelled":
            day = bindparam("day", type_=Text()) if place.has_one_day else None
            return writing.moment(_row.timestamp_ms, unit=Unit.MILLISECOND, form=" …", day=day)
        case "received_at":
            return writing.moment(_row.received_us, unit=Unit.MICROSECOND, form="T…+00:00")
        case "timestamp_us":
            return [_row.timestamp_ms * 1000]
        case "price" if quote:
            quoted = writing.joined([quote, _row.price, quote])
            return [case((_row.price.is_(None), literal(absent)), else_=quoted)]
    column = _row[blank.column]
    return [writing.shown(column, absent=absent) if blank.absent is not None else column]
