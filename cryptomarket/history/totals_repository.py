"""What the prices of a range come to, by the database's own arithmetic: exact, and no row becomes an object of ours."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    CompoundSelect,
    Connection,
    Double,
    Select,
    Text,
    bindparam,
    case,
    cast,
    func,
    literal,
    literal_column,
    or_,
    select,
    union_all,
)

from cryptomarket.db import Prepared, Writing
from cryptomarket.history.keyset_repository import in_order
from cryptomarket.history.tables import price_tickers
from cryptomarket.market.ticks import Source

# Prices of SQLite are texts, and its only exact numbers have 64 bits: a price is counted in units of the eighth digit
# after its point. A text of so many characters has at most fifteen digits, so each has a double of its own, and one of
# so few units is rounded to the right one (IEEE 754: 15 digits, 53 bits). How many digits it has stands in four bits
# behind.
_DIGITS, _LONGEST, _MOST_UNITS = 8, 16, 2 * 10**15
_BITS_OF_DIGITS, _BITS_OF_LOW = 4, 32
_row = price_tickers.c
_ticker: BindParameter[Any] = bindparam("ticker")
# As a part of the question: the library takes care of the type of every float that is given with one.
_UNITS: ColumnElement[float] = literal_column(f"{10**_DIGITS}.0", Double())


class Priced(NamedTuple):
    """A price of one exchange time."""

    timestamp_ms: int
    price: Decimal


@dataclass(frozen=True, slots=True)
class Totals:
    """How many prices there are, the lowest, the highest, their sum, the first and the last; None for none."""

    count: int
    min: Decimal | None
    max: Decimal | None
    sum: Decimal
    first: Priced | None
    last: Priced | None


def totals(
    connection: Connection, writing: Writing, ticker: str, start_ms: int, end_ms: int, *, newest_id: int
) -> Totals | None:
    """Those of [start_ms, end_ms); None where rows of other sources lie in it, or prices that the database does not
    count exactly.
    """
    asked = {"ticker": ticker, "start_ms": start_ms, "end_ms": end_ms, "newest_id": newest_id}
    count, is_odd, *figures = (_OF_SQLITE if writing.is_sqlite else _OF_POSTGRESQL).one(connection, asked)
    if is_odd:
        return None
    ends = {which: Priced(at_ms, Decimal(price)) for which, at_ms, price in _ENDS.all(connection, asked)}
    first, last = ends.get("first"), ends.get("last")
    if count == 0:
        return Totals(0, None, None, Decimal(0), first, last)
    lowest, highest, total = _of_units(figures) if writing.is_sqlite else map(Decimal, figures)
    return Totals(count, lowest, highest, total, first, last)


def _of_units(figures: Sequence[int]) -> tuple[Decimal, Decimal, Decimal]:
    lowest, highest, high, low = figures
    return _price(lowest), _price(highest), Decimal((high << _BITS_OF_LOW) + low).scaleb(-_DIGITS)


def _price(key: int) -> Decimal:
    """The price of a key, with the digits that it is stored with."""
    price = Decimal(key >> _BITS_OF_DIGITS).scaleb(-_DIGITS)
    spelled = price.quantize(Decimal(1).scaleb(-(key & ((1 << _BITS_OF_DIGITS) - 1))))
    return spelled if spelled == price else price


def _prices(*columns: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
    return select(*columns).where(
        _row.ticker == _ticker,
        _row.timestamp_ms >= bindparam("start_ms"),
        _row.timestamp_ms < bindparam("end_ms"),
        _row.id <= bindparam("newest_id"),
        _row.price.is_not(None),
    )


def _of_sqlite() -> Select[*tuple[Any, ...]]:
    text, point = cast(_row.price, Text), func.instr(cast(_row.price, Text), ".")
    number = cast(_row.price, Double)
    told = (
        number.label("number"),
        cast(func.round(number * _UNITS), BigInteger).label("units"),
        case((point > 0, func.length(text) - point), else_=0).label("digits"),
        func.length(text).label("length"),
        _row.source.label("source"),
    )
    # With a limit each price is read once, and not for each of the figures anew.
    each = _prices(*told).limit(-1).subquery().c
    is_odd = or_(
        each.source != Source.STREAM.value,
        each.length > _LONGEST,
        ~each.units.between(-_MOST_UNITS, _MOST_UNITS),
        # More digits than eight.
        cast(each.units, Double) / _UNITS != each.number,
    )
    key = each.units.bitwise_lshift(_BITS_OF_DIGITS).bitwise_or(each.digits)
    high, low = each.units.bitwise_rshift(_BITS_OF_LOW), each.units.bitwise_and((1 << _BITS_OF_LOW) - 1)
    figures = (func.min(key), func.max(key), func.sum(high), func.sum(low))
    return select(func.count(), func.max(case((is_odd, 1), else_=0)), *figures)


def _of_postgresql() -> Select[*tuple[Any, ...]]:
    is_odd = case((_row.source != Source.STREAM.value, 1), else_=0)
    figures = (cast(each(_row.price), Text) for each in (func.min, func.max, func.sum))
    return _prices(func.count(), func.max(is_odd), *figures)


def _ends() -> CompoundSelect[*tuple[Any, ...]]:
    columns = (_row.timestamp_ms, cast(_row.price, Text).label("price"))
    ends = {
        "first": in_order(_prices(*columns), "asc").limit(1),
        "last": in_order(_prices(*columns), "desc").limit(1),
    }
    return union_all(
        *(select(literal(which).label("which"), *one.subquery(which).columns) for which, one in ends.items())
    )


_OF_SQLITE, _OF_POSTGRESQL, _ENDS = Prepared(_of_sqlite()), Prepared(_of_postgresql()), Prepared(_ends())
