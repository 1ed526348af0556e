"""The order of rows in SQL: (timestamp, source, epoch, seq, id), and what comes after a row in it."""

import operator
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, ColumnElement, Select, and_, bindparam, or_, tuple_

from cryptomarket.history.cursors import Cursor, Order
from cryptomarket.history.tables import price_tickers

_row = price_tickers.c


class Passed(NamedTuple):
    """How a question goes on after a row: in which order, and whether that row has a position."""

    order: Order
    has_position: bool

    @classmethod
    def of(cls, cursor: Cursor) -> "Passed":
        """How the question of a cursor goes on after its row."""
        return cls(cursor.order, cursor.epoch is not None)


@cache
def beyond(passed: Passed) -> ColumnElement[bool]:
    """What holds for the rows after one whose values are given when it is asked, see `row_of`."""
    # Within one source either all rows have a position or none has, so no NULL is ever compared.
    names = ("epoch", "seq", "id") if passed.has_position else ("id",)
    keys, told = [_row[name] for name in names], [_told(name) for name in names]
    is_after = operator.gt if passed.order == "asc" else operator.lt
    is_reached = operator.ge if passed.order == "asc" else operator.le
    return and_(
        # This bound alone is what lets the index be entered at the cursor.
        is_reached(_row.timestamp_ms, _told("timestamp_ms")),
        or_(
            is_after(_row.timestamp_ms, _told("timestamp_ms")),
            is_after(_row.source, _told("source")),
            and_(_row.source == _told("source"), is_after(tuple_(*keys), tuple_(*told))),
        ),
    )


def _told(name: str) -> BindParameter[Any]:
    return bindparam(f"told_{name}", type_=_row[name].type)


def row_of(cursor: Cursor) -> dict[str, object]:
    """The values of the row that a cursor has passed."""
    return {
        "told_timestamp_ms": cursor.timestamp_ms,
        "told_source": cursor.row_source.value,
        "told_epoch": cursor.epoch,
        "told_seq": cursor.seq,
        "told_id": cursor.row_id,
    }


def in_order(rows: Select[Any], order: Order) -> Select[Any]:
    keys = (_row.timestamp_ms, _row.source, _row.epoch, _row.seq, _row.id)
    return rows.order_by(*(keys if order == "asc" else (key.desc() for key in keys)))
