"""The SQL that writes rows as lines: a window of a range in one text, so that no row becomes an object of ours."""

import re
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Executable, Select, Subquery, case, func, literal, or_, select

from cryptomarket.db import Database, Writing, bound_together
from cryptomarket.history.cursors import Cursor
from cryptomarket.history.lines import POSITION, SUMMARY, Blank, Line
from cryptomarket.history.tables import price_tickers

_row = price_tickers.c
_KEYS = (_row.timestamp_ms, _row.source, _row.epoch, _row.seq, _row.id)
# What may stand between quotes, and in a cell, as it is.
_PLAIN = re.compile(r"[0-9A-Za-z]*")


class Window(NamedTuple):
    """A part of a range: [start_ms, end_ms)."""

    start_ms: int
    end_ms: int


class Written(NamedTuple):
    """Rows as lines, each but the last with its end."""

    text: str
    rows: int


class LinesRepository:
    """Reads lines of one database. Every call raises DatabaseUnavailable."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def next_window(self, asked: Cursor, left: Window, *, rows: int) -> Window:
        """The part of `left` that comes first in the question's order and has at most `rows` rows of the ticker; or one
        millisecond, when that alone has more.
        """
        beyond = select(_row.timestamp_ms).where(
            _row.ticker == asked.ticker, _row.timestamp_ms >= left.start_ms, _row.timestamp_ms < left.end_ms
        )
        key = _row.timestamp_ms if asked.order == "asc" else _row.timestamp_ms.desc()
        async with self._db.read() as connection:
            found = await connection.execute(beyond.order_by(key).offset(rows).limit(1))
            first_of_next_ms = found.scalar_one_or_none()
        if first_of_next_ms is None:
            return left
        if asked.order == "asc":
            return Window(left.start_ms, max(first_of_next_ms, left.start_ms + 1))
        return Window(min(first_of_next_ms + 1, left.end_ms - 1), left.end_ms)

    async def lines(self, asked: Cursor, window: Window, line: Line, *, most: int) -> Written | None:
        """The question's rows of a window, in its order; None where one of them is not such a line, or where they are
        more than `most`.
        """
        rows = _written(self._db.writing, line).where(
            _row.ticker == asked.ticker,
            _row.timestamp_ms >= window.start_ms,
            _row.timestamp_ms < window.end_ms,
            _row.id <= asked.newest_id,
        )
        if asked.source is not None:
            rows = rows.where(_row.source == asked.source.value)
        rows = rows.order_by(*(_KEYS if asked.order == "asc" else (key.desc() for key in _KEYS)))
        async with self._db.read() as connection:
            found = (await connection.execute(_together(rows.limit(most + 1).subquery(), line))).one()
        return _proven(found, most)


def _proven(found: Any, most: int) -> Written | None:  # noqa: ANN401 - the library's row
    text, count, is_odd, first_epoch, last_epoch = found
    if count > most or is_odd or first_epoch != last_epoch or not _PLAIN.fullmatch(first_epoch or ""):
        return None
    return Written(text or "", count)


def _together(rows: Subquery, line: Line) -> Executable:
    return select(
        bound_together(rows.c.line, line.end),
        func.count(),
        func.max(rows.c.is_odd),
        func.min(rows.c.epoch),
        func.max(rows.c.epoch),
    )


def _written(writing: Writing, line: Line) -> Select[Any]:
    """Each row as a line, and whether it is one that can't be written so."""
    odd: list[ColumnElement[bool]] = [
        _row.instrument_name != line.ticker,
        _row.kind != line.kind.value,
        writing.is_spelled_otherwise(_row.price),
    ]
    if line.is_bare:
        odd.append(_row.summary.is_not(None))
    pieces = [piece if isinstance(piece, str) else _filled(writing, piece) for piece in line.pieces]
    return select(
        writing.joined(pieces).label("line"),
        _row.epoch,
        case((or_(*odd), literal(1)), else_=literal(0)).label("is_odd"),
    )


def _filled(writing: Writing, blank: Blank) -> ColumnElement[Any]:
    quote, absent = blank.quote, blank.absent or ""
    if blank.column == POSITION:
        whole = writing.joined([quote, _row.epoch, "-", _row.seq, quote])
        return case((_row.epoch.is_(None), literal(absent)), else_=whole)
    if blank.column == SUMMARY:
        rest = writing.joined([",", func.substr(_row.summary, 2)])
        return case((_row.summary.is_(None), literal(absent)), else_=rest)
    column = _row[blank.column]
    if blank.absent is not None:
        return writing.shown(column, absent=absent)
    return writing.joined([quote, column, quote]) if quote else column
