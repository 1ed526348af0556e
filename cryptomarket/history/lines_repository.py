"""The SQL that writes rows as lines: a window of a range in one text, so that no row becomes an object of ours."""

from functools import cache, lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, distinct, func, select

from cryptomarket.db import Prepared, Writing, bound_together
from cryptomarket.history.column_lines_repository import lines_from_columns
from cryptomarket.history.cursors import Cursor, Order
from cryptomarket.history.keyset_repository import Passed, in_order
from cryptomarket.history.lines import Line
from cryptomarket.history.pieces_repository import PLAIN, Place, like, of_place, pieces_of
from cryptomarket.history.tables import price_tickers
from cryptomarket.history.windows_repository import (
    ROWS,
    Ahead,
    Window,
    Written,
    before,
    day_of,
    given,
    passed_of,
    within,
)

_row = price_tickers.c


class _First(NamedTuple):
    """How many the first rows of a window are, how many different times they have, the last of these; the first and
    the last of their sources by name, and of their epochs the last.
    """

    rows: int
    times: int
    last_ms: int
    source: str | None
    other_source: str | None
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
            window = before(first.last_ms, left, asked.order)
            counted = first._replace(rows=rows, times=rows)
            return Ahead(window, is_more=True, written=self._written(asked, window, line, counted, begun=begun))
        window, is_more = self.window(asked, left, rows=rows, begun=begun)
        return Ahead(window, is_more, self.lines(asked, window, line, most=rows, begun=begun))

    def at_once(self, asked: Cursor, left: Window, line: Line, *, rows: int, begun: bool = False) -> Ahead | None:
        """The same by one question, of rows of the stream alone: see `lines_from_columns`."""
        return lines_from_columns(self._connection, self._writing, asked, left, line, rows=rows, begun=begun)

    def window(self, asked: Cursor, left: Window, *, rows: int, begun: bool = False) -> tuple[Window, bool]:
        """The part of `left` that comes first in the question's order and has at most `rows` rows of it, or one
        millisecond, when that alone has more; and whether there are more rows in all of it. When it has `begun`, rows
        up to the cursor's are none of it.
        """
        boundary = _boundary(asked.order, passed_of(asked, begun=begun), has_source=asked.source is not None)
        found = boundary.all(self._connection, given(asked, left, rows))
        if not found:
            return left, False
        first_of_next_ms: int = found[0][0]
        if asked.order == "asc":
            return Window(left.start_ms, max(first_of_next_ms, left.start_ms + 1)), True
        return Window(min(first_of_next_ms + 1, left.end_ms - 1), left.end_ms), True

    def of_stream(self, asked: Cursor, left: Window, line: Line, *, rows: int) -> Ahead | None:
        """The first `rows` rows, and the window in which they are all; None where they can't be written, are not of the
        stream alone, or two of them share a millisecond.
        """
        if not self._writing.is_sqlite:
            return self.at_once(asked, left, line, rows=rows)
        first = self._first(asked, left, rows=rows + 1)
        if first.times != first.rows:
            return None
        if first.rows <= rows:
            return Ahead(left, is_more=False, written=self._written(asked, left, line, first))
        is_asc = asked.order == "asc"
        window = Window(left.start_ms, first.last_ms + 1) if is_asc else Window(first.last_ms, left.end_ms)
        # Counted again, for the last of them may share its millisecond with what follows.
        written = self.lines(asked, window, line, most=first.rows)
        if written is None:
            return None
        ahead = Written(written.text[: written.text.rindex(line.end)], rows)
        return Ahead(before(first.last_ms, left, asked.order), is_more=True, written=ahead)

    def lines(self, asked: Cursor, window: Window, line: Line, *, most: int, begun: bool = False) -> Written | None:
        """The question's rows of a window, in its order; None where they are more than `most`, of several epochs, or
        where one of them is not such a line.
        """
        counted = self._first(asked, window, rows=most + 1, begun=begun)
        return None if counted.rows > most else self._written(asked, window, line, counted, begun=begun)

    def _first(self, asked: Cursor, left: Window, *, rows: int, begun: bool = False) -> _First:
        """What the first `rows` rows are, in the question's order."""
        first = _first(asked.order, passed_of(asked, begun=begun), has_source=asked.source is not None)
        return _First._make(first.one(self._connection, given(asked, left, rows)))

    def _written(
        self, asked: Cursor, window: Window, line: Line, counted: _First, *, begun: bool = False
    ) -> Written | None:
        """The rows of a window that were counted, as lines; None where there are others, or not all are such."""
        if counted.rows == 0:
            return Written("", 0)
        if counted.source is None or not PLAIN.fullmatch(counted.epoch or ""):
            return None
        has_one_day = line.has_moments and day_of(window.start_ms) == day_of(window.end_ms - 1)
        source = counted.source if counted.source == counted.other_source else None
        place, is_single = Place(source, counted.epoch, has_one_day), counted.times == counted.rows
        passed = passed_of(asked, begun=begun)
        form = _Form(self._writing, line, place, asked.order, is_single, asked.source is not None, passed)
        text, written = _all_lines(form).one(self._connection, given(asked, window, counted.rows + 1))
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


@cache
def _boundary(order: Order, passed: Passed | None, *, has_source: bool) -> Prepared:
    key = _row.timestamp_ms if order == "asc" else _row.timestamp_ms.desc()
    wanted = select(_row.timestamp_ms).where(*within(has_source=has_source, passed=passed))
    return Prepared(wanted.order_by(key).offset(ROWS).limit(1))


@cache
def _first(order: Order, passed: Passed | None, *, has_source: bool) -> Prepared:
    key = _row.timestamp_ms if order == "asc" else _row.timestamp_ms.desc()
    conditions = within(has_source=has_source, passed=passed)
    columns = (_row.timestamp_ms, _row.source, _row.epoch)
    each = select(*columns).where(*conditions).order_by(key).limit(ROWS).subquery().c
    return Prepared(
        select(
            func.count(),
            func.count(distinct(each.timestamp_ms)),
            func.max(each.timestamp_ms) if order == "asc" else func.min(each.timestamp_ms),
            func.min(each.source),
            func.max(each.source),
            func.max(each.epoch),
        )
    )


def _lines(form: _Form) -> Select[Any]:
    wanted = select(form.writing.joined(pieces_of(form.writing, form.line, form.place)).label("line")).where(
        *within(has_source=form.has_source, passed=form.passed),
        *like(form.writing, form.line.kind, form.place.source, is_plain=form.line.is_plain),
        of_place(form.place),
    )
    if form.has_single_times:
        wanted = wanted.order_by(_row.timestamp_ms if form.order == "asc" else _row.timestamp_ms.desc())
    else:
        wanted = in_order(wanted, form.order)
    # As many as there are, and more: an order without a limit might be left out of a subquery.
    return wanted.limit(ROWS)


@lru_cache(maxsize=1024)
def _all_lines(form: _Form) -> Prepared:
    found = _lines(form).subquery()
    return Prepared(select(bound_together(found.c.line, form.line.end), func.count()))
