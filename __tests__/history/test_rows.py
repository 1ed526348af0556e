import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from __tests__.history.world import heard, index_tick, option_tick, perpetual_tick, spot_tick
from cryptomarket.db import Database
from cryptomarket.history.cursors import Cursor
from cryptomarket.history.repository import Repository
from cryptomarket.history.rows import ROW_FIELDS, Choice, Row, chosen_json, event_json, row_json
from cryptomarket.history.tables import price_tickers
from cryptomarket.market.ticks import OptionSummary, Tick
from cryptomarket.market.wire import data_of, decode_tick

ALL = Choice()


def digits(event: bytes) -> Any:  # noqa: ANN401 - JSON
    """What an event says, its numbers written out without a power of ten, every digit of theirs kept."""
    return json.loads(event, parse_float=lambda text: f"{Decimal(text):f}", parse_int=str)


async def rows_of(repository: Repository, ticker: str) -> list[Row]:
    page = await repository.page(Cursor.at_start(ticker, 0, 2**50), ALL, limit=100, begun=False)
    return page.rows


@pytest.mark.parametrize("tick", [index_tick(1), perpetual_tick(2), option_tick(3), spot_tick(4)], ids=lambda t: t.kind)
async def test_a_stored_row_reproduces_the_whole_event(repository: Repository, tick: Tick) -> None:
    """The stored row is the streamed event, digit for digit, with every field of its kind, nulls included."""
    told = heard([index_tick(0, ticker=tick.ticker), tick])[1]
    await repository.keep([told])
    [row] = await rows_of(repository, tick.ticker)
    assert digits(event_json(row)) == digits(data_of(told.publication))
    assert row.tick == decode_tick(told.publication.payload)
    assert row.position == told.publication.position


exact = st.decimals(allow_nan=False, allow_infinity=False) | st.sampled_from(
    [Decimal(text) for text in ("8.55E+4", "0E-8", "-0.0", "85500.000000001", "1E+40", "0.10", "95413.230")]
)


@given(price=exact, iv=exact)
def test_every_decimal_comes_back_digit_for_digit(price: Decimal, iv: Decimal) -> None:
    """No price passes through a float, whatever its spelling, as the column's own value and inside a summary."""
    tick = option_tick(5, OptionSummary(mark_iv=iv))
    [told] = heard([Tick(tick.ticker, tick.ticker, tick.kind, price, 5, 5000, None, tick.summary)])
    text = data_of(told.publication)
    assert isinstance(told.word, Tick)
    assert str(told.word.price) == str(price)
    parsed = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    assert (parsed["price"], parsed["mark_iv"]) == (price, iv)


@pytest.mark.parametrize("price", ["8.55E+4", "0E-8", "-0.5", "85500.000000001", "1E+40", "0.10", "95413.230", "1E-30"])
async def test_the_database_keeps_the_digits_of_a_price(repository: Repository, price: str) -> None:
    """Every digit comes back, zeros at the end included. PostgreSQL writes a power of ten out: 8.55E+4 is 85500."""
    [told] = heard([index_tick(5, price)])
    await repository.keep([told])
    [row] = await rows_of(repository, "btc_usd")
    assert f"{row.price:f}" == f"{Decimal(price):f}"
    assert digits(event_json(row)) == digits(data_of(told.publication))


async def test_a_row_says_where_it_came_from(repository: Repository) -> None:
    """Each row carries its source, and its position when it was streamed."""
    await repository.keep(heard([index_tick(5)], epoch="e9", first_seq=17))
    [row] = await rows_of(repository, "btc_usd")
    told = json.loads(row_json(row))
    assert (told["source"], told["position"], told["seq"]) == ("stream", "e9-17", 17)


async def test_chosen_fields_are_the_same_digits(repository: Repository) -> None:
    """`fields` takes fields away and changes none; what a kind does not have is absent."""
    await repository.keep(heard([perpetual_tick(5)]))
    [row] = await rows_of(repository, "BTC-PERPETUAL")
    chosen = chosen_json(row, ["current_funding", "price", "last_price", "greeks"])
    assert digits(chosen) == digits(b'{"price":8.55E+4,"last_price":8.55E+4,"current_funding":0E-8}')
    assert chosen.endswith(b'"last_price":8.55E+4,"current_funding":0E-8}')


def test_every_field_that_the_contract_names_can_be_chosen() -> None:
    """Fields of 3.1, of every kind, and the two of history."""
    named = {
        *("ticker", "instrument_name", "kind", "price", "timestamp", "received_us", "published_us", "seq", "prev_seq"),
        *("last_price", "mark_price", "index_price", "best_bid_price", "best_bid_amount", "best_ask_price"),
        *("best_ask_amount", "min_price", "max_price", "open_interest", "settlement_price", "stats"),
        *("estimated_delivery_price", "current_funding", "greeks", "mark_iv", "underlying_price", "source", "position"),
    }
    assert named <= ROW_FIELDS


async def test_a_sources_row_without_a_position_tells_nulls(database: Database, repository: Repository) -> None:
    """Only rows of the stream have a position."""
    await insert_backfill(database, 5)
    [row] = await rows_of(repository, "btc_usd")
    told = json.loads(row_json(row))
    assert (told["source"], told["position"], told["seq"], told["published_us"]) == ("backfill", None, None, None)


async def insert_backfill(database: Database, *timestamps_ms: int, source: str = "backfill") -> None:
    columns = ["ticker", "source", "kind", "instrument_name", "timestamp_ms", "received_us", "price"]
    price = database.driver_price(Decimal(1))
    rows = [("btc_usd", source, "index", "btc_usd", ms, ms * 1000, price) for ms in timestamps_ms]
    await database.make_partitions(price_tickers, timestamps_ms)
    async with database.begin() as connection:
        await database.insert_new(connection, price_tickers, columns, rows)
