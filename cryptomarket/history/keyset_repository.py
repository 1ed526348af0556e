"""The order of rows in SQL: (timestamp, source, epoch, seq, id), and what comes after a row in it."""

import operator
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_, tuple_

from cryptomarket.history.cursors import Cursor, Order
from cryptomarket.history.tables import price_tickers

_row = price_tickers.c


def beyond(cursor: Cursor) -> ColumnElement[bool]:
    # Within one source either all rows have a position or none has, so no NULL is ever compared.
    keys: list[ColumnElement[Any]] = [_row.id]
    told: list[object] = [cursor.row_id]
    if cursor.epoch is not None:
        keys, told = [_row.epoch, _row.seq, *keys], [cursor.epoch, cursor.seq, *told]
    passed = operator.gt if cursor.order == "asc" else operator.lt
    reached = operator.ge if cursor.order == "asc" else operator.le
    source = cursor.row_source.value
    return and_(
        # This bound alone is what lets the index be entered at the cursor.
        reached(_row.timestamp_ms, cursor.timestamp_ms),
        or_(
            passed(_row.timestamp_ms, cursor.timestamp_ms),
            passed(_row.source, source),
            and_(_row.source == source, passed(tuple_(*keys), tuple(told))),
        ),
    )


def in_order(rows: Select[Any], order: Order) -> Select[Any]:
    keys = (_row.timestamp_ms, _row.source, _row.epoch, _row.seq, _row.id)
    return rows.order_by(*(keys if order == "asc" else (key.desc() for key in keys)))
