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
    and_,
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
# after its point. A text of so many characters, which is that of so few units, has at most fifteen digits, so others of
# its length have other doubles, and rounding finds its own units (IEEE 754: 15 digits, 53 bits).
_DIGITS, _LONGEST, _MOST_UNITS, _BITS_OF_LOW = 8, 16, 2 * 10**15, 32
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
    connection: Connection,
    writing: Writing,
    ticker: str,
    start_ms: int,
    end_ms: int,
    *,
    newest_id: int,
    source: Source | None = None,
) -> Totals | None:
    """Those of [start_ms, end_ms), of rows of a source or, where there are rows of the stream alone, of all of them;
    None where there are others, or prices that the database does not count exactly.
    """
    asked = {"ticker": ticker, "start_ms": start_ms, "end_ms": end_ms, "newest_id": newest_id, "source": source}
    figures_of, ends_of = _QUESTIONS[writing.is_sqlite, source is not None]
    count, is_odd, *figures = figures_of.one(connection, asked)
    if is_odd:
        return None
    ends = {which: Priced(at_ms, Decimal(price)) for which, at_ms, price in ends_of.all(connection, asked)}
    first, last = ends.get("first"), ends.get("last")
    if count == 0:
        return Totals(0, None, None, Decimal(0), first, last)
    lowest, highest, total = _of_units(figures) if writing.is_sqlite else map(Decimal, figures)
    return Totals(count, lowest, highest, total, first, last)


def _of_units(figures: Sequence[int]) -> tuple[Decimal, Decimal, Decimal]:
    lowest, highest, high, low = figures
    all_units = (lowest, highest, (high << _BITS_OF_LOW) + low)
    lowest_price, highest_price, total = (Decimal(units).scaleb(-_DIGITS) for units in all_units)
    return lowest_price, highest_price, total


def _prices(*columns: ColumnElement[Any], has_source: bool) -> Select[*tuple[Any, ...]]:
    prices = select(*columns).where(
        _row.ticker == _ticker,
        _row.timestamp_ms >= bindparam("start_ms"),
        _row.timestamp_ms < bindparam("end_ms"),
        _row.id <= bindparam("newest_id"),
        _row.price.is_not(None),
    )
    return prices.where(_row.source == bindparam("source")) if has_source else prices


def _of_sqlite(*, has_source: bool) -> Select[*tuple[Any, ...]]:
    number = cast(_row.price, Double)
    told = (
        number.label("number"),
        cast(func.round(number * _UNITS), BigInteger).label("units"),
        cast(_row.price, Text).label("text"),
        _row.source.label("source"),
    )
    # With a limit each price is read once, and not for each of the figures anew.
    each = _prices(*told, has_source=has_source).limit(-1).subquery().c
    is_odd = or_(
        each.source != (bindparam("source") if has_source else Source.STREAM.value),
        func.length(each.text) > _LONGEST,
        # So small that it is none to a double.
        and_(each.number == literal_column("0.0", Double()), func.instr(each.text, "E") > 0),
        ~each.units.between(-_MOST_UNITS, _MOST_UNITS),
        # More digits than eight.
        cast(each.units, Double) / _UNITS != each.number,
    )
    high, low = each.units.bitwise_rshift(_BITS_OF_LOW), each.units.bitwise_and((1 << _BITS_OF_LOW) - 1)
    figures = (func.min(each.units), func.max(each.units), func.sum(high), func.sum(low))
    return select(func.count(), func.max(case((is_odd, 1), else_=0)), *figures)


def _of_postgresql(*, has_source: bool) -> Select[*tuple[Any, ...]]:
    is_odd = case((_row.source != Source.STREAM.value, 1), else_=0)
    figures = (cast(each(_row.price), Text) for each in (func.min, func.max, func.sum))
    return _prices(func.count(), func.max(0 if has_source else is_odd), *figures, has_source=has_source)


def _ends(*, has_source: bool) -> CompoundSelect[*tuple[Any, ...]]:
    prices = _prices(_row.timestamp_ms, cast(_row.price, Text).label("price"), has_source=has_source)
    ends = {"first": in_order(prices, "asc").limit(1), "last": in_order(prices, "desc").limit(1)}
    return union_all(
        *(select(literal(which).label("which"), *one.subquery(which).columns) for which, one in ends.items())
    )


# Of SQLite or not, of one source or not.
_QUESTIONS = {
    (is_sqlite, has_source): (
        Prepared((_of_sqlite if is_sqlite else _of_postgresql)(has_source=has_source)),
        Prepared(_ends(has_source=has_source)),
    )
    for is_sqlite in (True, False)
    for has_source in (True, False)
}
