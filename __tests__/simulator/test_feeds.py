"""Each channel says what it should, when it should: at once, on change, in order."""

import itertools
import json
from typing import Any

import pytest

from __tests__.simulator.talk import NOW_US, Talk, schema, validate
from cryptomarket.simulator.spelling import encode


def timestamps(data: list[Any]) -> list[int]:
    return [row["timestamp"] for item in data for row in (item if isinstance(item, list) else [item])]


@pytest.mark.parametrize(
    ("channel", "seconds", "least", "most"),
    [
        ("ticker.BTC-PERPETUAL.100ms", 20, 95, 102),
        ("ticker.BTC-PERPETUAL.agg2", 20, 16, 22),
        ("ticker.BTC-25DEC26-50000-C.100ms", 60, 1, 1),
        ("incremental_ticker.BTC-PERPETUAL", 20, 16, 22),
        ("book.BTC-PERPETUAL.100ms", 20, 90, 102),
        ("book.BTC-PERPETUAL.agg2", 57, 50, 60),
        ("book.BTC-PERPETUAL.none.10.100ms", 20, 90, 102),
        ("quote.BTC-PERPETUAL", 20, 90, 102),
        ("perpetual.BTC-PERPETUAL.100ms", 20, 90, 102),
        ("trades.BTC-PERPETUAL.100ms", 100, 15, 25),
        ("trades.option.BTC.agg2", 30, 1, 31),
        ("chart.trades.BTC-PERPETUAL.1", 20, 20, 22),
        ("deribit_price_index.btc_usd", 57, 57, 61),
        ("deribit_price_ranking.btc_usd", 10, 10, 12),
        ("deribit_price_statistics.btc_usd", 10, 10, 12),
        ("deribit_volatility_index.btc_usd", 10, 10, 12),
        ("estimated_expiration_price.btc_usd", 10, 10, 12),
        ("markprice.options.btc_usd", 5, 5, 7),
        ("platform_state", 5, 47, 47),
        ("platform_state.public_methods_state", 5, 1, 1),
        ("instrument.state.any.any", 5, 0, 0),
        ("announcements", 5, 0, 0),
    ],
)
def test_a_channel_keeps_its_pace_and_its_order(
    talk: Talk, channel: str, seconds: float, least: int, most: int
) -> None:
    assert talk.subscribe(channel) == [channel]
    talk.pass_time(seconds)
    found = talk.notices(channel)
    assert least <= len(found) <= most
    if channel.startswith(("ticker", "book", "quote", "trades", "deribit_price_index")):
        times = timestamps(found)
        assert times == sorted(times), "timestamps never go back within a channel"
        assert max(times) <= talk.now_us // 1000


def test_a_ticker_channel_sends_the_current_state_at_once_and_then_on_change(talk: Talk) -> None:
    channel = "ticker.BTC-25DEC26-80000-C.100ms"
    talk.subscribe(channel)
    (first,) = talk.notices(channel)
    validate(first, schema()["results"]["public/ticker"])
    assert first["timestamp"] <= NOW_US // 1000
    talk.pass_time(60)
    found = talk.notices(channel)
    assert len(found) > 20
    assert all(before != after for before, after in itertools.pairwise(found))


def test_a_book_is_a_chain_without_a_hole(talk: Talk) -> None:
    channel = "book.ETH-PERPETUAL.100ms"
    talk.subscribe(channel)
    talk.pass_time(30)
    first, *changes = talk.notices(channel)
    assert first["type"] == "snapshot"
    assert {row[0] for row in first["bids"] + first["asks"]} == {"new"}
    previous = first["change_id"]
    for change in changes:
        assert change["type"] == "change"
        assert change["prev_change_id"] == previous
        assert change["bids"] or change["asks"]
        previous = change["change_id"]


def test_a_late_reader_joins_the_chain(talk: Talk) -> None:
    """The snapshot of a second follower is the state that the first one has."""
    channel = "book.ETH-PERPETUAL.100ms"
    talk.subscribe(channel)
    talk.pass_time(7.35)
    late = Talk(talk.options, talk.now_us, talk.exchange)
    late.subscribe(channel)
    talk.pass_time(10, [late])
    snapshot, *changes = late.notices(channel)
    assert snapshot["type"] == "snapshot"
    assert changes[0]["prev_change_id"] == snapshot["change_id"]
    assert talk.notices(channel)[-len(changes) :] == changes


def test_an_incremental_ticker_adds_up_to_the_ticker(talk: Talk) -> None:
    channel = "incremental_ticker.BTC-PERPETUAL"
    talk.subscribe(channel)
    talk.pass_time(20)
    first, *changes = talk.notices(channel)
    assert first["type"] == "snapshot"
    assert len(changes) > 5
    state = {key: item for key, item in first.items() if key != "type"}
    for change in changes:
        assert change["type"] == "change"
        assert len(change) < len(first)
        for key, item in change.items():
            if isinstance(item, dict):
                state[key] |= item
            elif key != "type":
                state[key] = item
    world = talk.exchange.world
    listing = world.listed["BTC-PERPETUAL"]
    now_us = state["timestamp"] * 1000 + 1000
    assert state == json.loads(encode(world.tickers.at_step(listing, world.quotes.step(listing, now_us))))


def test_same_seed_same_frames() -> None:
    """Two exchanges of one seed say the same to the letter."""
    channel = "ticker.BTC-PERPETUAL.100ms"
    talks = (Talk(), Talk())
    for one in talks:
        one.subscribe(channel, "book.BTC-PERPETUAL.100ms", "trades.any.any.100ms", "deribit_price_index.btc_usd")
        one.pass_time(10)
    first, second = ([getattr(order, "text", None) for order in one.orders] for one in talks)
    assert first == second
    assert len(first) > 100
