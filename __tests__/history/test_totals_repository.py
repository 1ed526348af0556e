"""What the database's own arithmetic comes to, against Python's."""

from collections.abc import Sequence
from decimal import Decimal, localcontext
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from __tests__.examples import examples
from __tests__.history.test_lines_repository import put
from __tests__.history.world import heard, index_tick
from cryptomarket.db import Database
from cryptomarket.errors import DatabaseUnavailable
from cryptomarket.history.figures import counted
from cryptomarket.history.repository import Repository
from cryptomarket.history.totals_repository import Priced, Totals
from cryptomarket.market.instruments import Kind
from cryptomarket.market.ticks import Source

# What markets have: six digits before the point at most, eight after it; no zero with an exponent.
USUAL = st.decimals(-999_999, 999_999, places=8).filter(bool) | st.decimals(0, 10**5, places=2) | st.sampled_from(
    [Decimal(text) for text in ("0", "85500", "85500.1", "85500.10", "0.00001", "8.55E+4", "95413.23", "1E-8")]
)  # fmt: skip
ANY = st.decimals(-(10**60), 10**60, places=40) | st.decimals(-1, 1) | st.decimals(10**6, 10**9, places=9)


async def both(repository: Repository, ticker: str) -> tuple[Totals | None, Totals]:
    """By the database, and one by one."""
    return await by_database(repository, ticker), await repository.look(
        lambda look: counted(look, ticker, 0, 10_000, newest_id=2**62)
    )


async def by_database(repository: Repository, ticker: str) -> Totals | None:
    return await repository.look(lambda look: look.totals(ticker, 0, 10_000, newest_id=2**62))


def rows_of(prices: Sequence[Decimal | None]) -> list[dict[str, Any]]:
    return [{"timestamp_ms": at, "seq": at, "price": price} for at, price in enumerate(prices)]


@settings(examples(40), suppress_health_check=list(HealthCheck))
@given(prices=st.lists(st.none() | USUAL, max_size=8))
async def test_the_database_counts_as_we_do(
    *, repository: Repository, database: Database, prices: list[Decimal | None]
) -> None:
    """Promise: the same numbers to the last digit, however many of them prices have; a missing price is none."""
    ticker = f"t{uuid4().hex}"
    await put(database, ticker, Kind.INDEX, rows_of(prices))
    told, one_by_one = await both(repository, ticker)
    assert told == one_by_one
    there = [price for price in prices if price is not None]
    with localcontext(prec=250):
        assert (one_by_one.count, one_by_one.sum) == (len(there), sum(there, Decimal(0)))
    assert told is not None
    assert (told.first is None) is (not there)
    assert {told.min, told.max} <= {*there, None}


@settings(examples(40), suppress_health_check=list(HealthCheck))
@given(prices=st.lists(ANY | USUAL, min_size=1, max_size=4))
async def test_what_is_not_counted_exactly_is_not_counted(
    *, repository: Repository, database: Database, prices: list[Decimal]
) -> None:
    """Promise: more digits than fit 53 bits, of whatever size: the answer is exact or none, and then ours."""
    ticker = f"t{uuid4().hex}"
    try:
        await put(database, ticker, Kind.INDEX, rows_of(prices))
    except DatabaseUnavailable:
        return  # PostgreSQL has no room for such a number
    told, one_by_one = await both(repository, ticker)
    assert told in (None, one_by_one)
    assert one_by_one.count == len(prices)


@pytest.mark.parametrize(
    "price", ["0.000000001", "12345.670000000000001", "123456789012345678", "1E+100", "-1E+100", "1E-400"]
)
async def test_sqlite_counts_no_such_price(repository: Repository, database: Database, price: str) -> None:
    """Promise: what has more digits than a double, or than eight after the point, is counted one by one."""
    ticker = f"t{uuid4().hex}"
    await put(database, ticker, Kind.INDEX, rows_of([Decimal("1.5"), Decimal(price)]))
    told, one_by_one = await both(repository, ticker)
    assert one_by_one.count == 2
    assert (told is None) is database.is_sqlite


async def test_many_high_prices_do_not_flow_over(repository: Repository, database: Database) -> None:
    """Promise: a sum may have more than 64 bits."""
    ticker, highest = f"t{uuid4().hex}", Decimal("9999999.99999999")
    await put(database, ticker, Kind.INDEX, rows_of([highest] * 9999))
    told, one_by_one = await both(repository, ticker)
    assert told == one_by_one
    assert one_by_one.sum == highest * 9999 > Decimal(2**63).scaleb(-8)


async def test_rows_of_other_sources_are_left_to_who_believes_them(repository: Repository, database: Database) -> None:
    """Promise: which of them count is not for this question to say; asked for the stream, it tells the stream."""
    await repository.keep(heard([index_tick(5), index_tick(6)]))
    assert await by_database(repository, "btc_usd") is not None
    await put(database, "btc_usd", Kind.INDEX, [{"timestamp_ms": 7, "source": "backfill", "epoch": None, "seq": None,
                                                 "price": Decimal(1)}])  # fmt: skip
    assert await by_database(repository, "btc_usd") is None
    of_stream = await repository.look(
        lambda look: look.totals("btc_usd", 0, 10_000, newest_id=2**62, source=Source.STREAM)
    )
    assert of_stream is not None
    assert (of_stream.count, of_stream.first, of_stream.last) == (
        *(2, Priced(5, Decimal("85500.12")), Priced(6, Decimal("85500.12"))),
    )
