"""Wanted against held: what is demanded is held once, lingers, and is left."""

from __tests__.ingest.house import INDEX, OPTION, PERIODS, House
from cryptomarket.ingest.feed import PLATFORM_CHANNELS
from cryptomarket.market.instruments import Instrument, Kind

CHANNEL = "ticker.BTC-27MAR26-100000-C.100ms"


async def test_a_thousand_wants_of_one_ticker_are_one_channel() -> None:
    """Promise: a thousand users of one ticker are one channel at the exchange."""
    house = House(INDEX, OPTION, always=[])
    await house.begin()
    assert house.exchange.held[0] == set(PLATFORM_CHANNELS.values())
    for at in range(1000):
        await house.backplane.demand.want(f"user-{at}", [OPTION.name], life_s=1000)
    await house.holding.settle()
    assert house.exchange.held[0] == {CHANNEL, *PLATFORM_CHANNELS.values()}
    assert house.holding.wanted == {OPTION.name}
    assert house.holding.watched == {OPTION.name}


async def test_the_last_want_gone_it_lingers_and_is_left_and_comes_back_with_a_gap() -> None:
    """Promise: kept for the linger, dropped then; closing and reopening is a gap with the cause `not_subscribed`."""
    house = House(OPTION, always=[])
    await house.begin()
    await house.backplane.demand.want("user", [OPTION.name], life_s=1000)
    await house.holding.settle()
    house.heard(OPTION, price=1)
    assert await house.told() == ["tick", "live:None"]
    await house.backplane.demand.want("user", [], life_s=1000)
    house.hands.forward(PERIODS.linger_s - 1)
    await house.holding.settle()
    assert CHANNEL in house.exchange.held[0]
    house.hands.forward(2)
    await house.holding.settle()
    assert CHANNEL not in house.exchange.held[0]
    assert await house.told() == ["unknown:not_subscribed"]
    await house.backplane.demand.want("user", [OPTION.name], life_s=1000)
    await house.holding.settle()
    house.heard(OPTION, price=2)
    assert await house.told() == ["gap:not_subscribed", "tick", "live:heard"]


async def test_what_is_always_collected_needs_no_want() -> None:
    """Promise: the always-collected tickers are held from the start."""
    house = House(INDEX)
    await house.begin()
    assert "deribit_price_index.btc_usd" in house.exchange.held[0]


async def test_a_wanted_name_that_the_exchange_does_not_know_holds_nothing_and_harms_nobody() -> None:
    """Promise: one unknown name never keeps the others from being held."""
    house = House(INDEX, always=["btc_usd", "nope_usd"])
    await house.begin()
    assert house.holding.watched == {"btc_usd"}
    house.directory.listed["nope_usd"] = Instrument("nope_usd", Kind.INDEX)
    await house.holding.settle()
    assert house.holding.watched == {"btc_usd"}
    house.hands.forward(PERIODS.refused_s + 1)
    await house.holding.settle()
    assert house.holding.watched == {"btc_usd", "nope_usd"}
