"""Windows of a question's range: what holds for their rows in SQL, and the values for it."""

from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Integer, bindparam

from cryptomarket.history.cursors import Cursor, Order
from cryptomarket.history.keyset_repository import Passed, beyond, row_of
from cryptomarket.history.tables import price_tickers

_row = price_tickers.c
ROWS = bindparam("rows", type_=Integer())


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


def passed_of(asked: Cursor, *, begun: bool) -> Passed | None:
    """How the question goes on, when it has begun."""
    return Passed.of(asked) if begun else None


def given(asked: Cursor, window: Window, rows: int | None = None) -> dict[str, object]:
    """The values of a question about a window, by the names that statements have for them."""
    day = day_of(window.start_ms)
    values = {"ticker": asked.ticker, "newest_id": asked.newest_id, "rows": rows, "day": day, **window._asdict()}
    return values | row_of(asked) | ({} if asked.source is None else {"source": asked.source.value})


def before(next_ms: int, left: Window, order: Order) -> Window:
    """The part of a window that comes before a time, in a question's order."""
    return Window(left.start_ms, next_ms) if order == "asc" else Window(next_ms + 1, left.end_ms)


def day_of(timestamp_ms: int) -> str:
    """The date in UTC."""
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
