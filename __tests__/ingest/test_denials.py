"""A subscription that the exchange refuses: what doesn't exist is told as unknown, what is only denied as down."""

import pytest

from __tests__.ingest.house import INDEX, OPTION, PERIODS, House
from cryptomarket.deribit.events import Denied, Held, Lost, Refused
from cryptomarket.ingest.feed import PLATFORM_CHANNELS
from cryptomarket.market.instruments import Instrument

CHANNELS = {INDEX: "deribit_price_index.btc_usd", OPTION: "ticker.BTC-27MAR26-100000-C.100ms"}


@pytest.mark.parametrize("instrument", [INDEX, OPTION])
async def test_what_is_denied_is_down_and_stays_known_and_comes_back_with_its_gap(instrument: Instrument) -> None:
    """Promise: a refusal that says nothing of the name costs nobody the ticker."""
    house = House(instrument)
    await house.begin()
    house.heard(instrument)
    assert await house.told() == ["tick", "live:None"]
    house.feed.hear(Denied(0, (CHANNELS[instrument],), 13004))
    assert await house.told() == ["down:denied"]
    await house.holding.settle()
    assert house.directory.known(instrument.name) is not None
    assert CHANNELS[instrument] in house.exchange.held[0]
    house.hands.forward(1)
    house.feed.hear(Held(0, (CHANNELS[instrument],)))
    house.heard(instrument, price=2)
    assert await house.told() == ["gap:not_subscribed", "tick", "live:heard"]


async def test_a_loss_before_the_denial_stays_the_cause() -> None:
    """Promise: a gap names what broke hearing first."""
    house = House(INDEX)
    await house.begin()
    house.heard(INDEX)
    house.feed.hear(Lost(0, (CHANNELS[INDEX],), "the connection broke"))
    house.feed.hear(Denied(0, (CHANNELS[INDEX],), 13004))
    house.hands.forward(1)
    house.heard(INDEX)
    assert await house.told() == [
        "tick", "live:None", "down:disconnect", "down:denied", "gap:disconnect", "tick", "live:heard",
    ]  # fmt: skip


@pytest.mark.parametrize(("instrument", "state"), [(INDEX, "unknown"), (OPTION, "expired")])
async def test_an_index_that_is_unknown_has_not_expired(instrument: Instrument, state: str) -> None:
    """Promise: only what has a life can be at its end."""
    house = House(instrument)
    await house.begin()
    house.heard(instrument)
    await house.told()
    house.feed.hear(Refused(0, (CHANNELS[instrument],)))
    assert await house.told() == [f"{state}:unknown_ticker"]


async def test_a_refused_channel_of_the_platform_is_asked_for_again_after_a_while() -> None:
    """Promise: the gateway isn't deaf to the exchange's announcements for good."""
    house = House(INDEX)
    await house.begin()
    platform = frozenset(PLATFORM_CHANNELS.values())
    assert house.exchange.held[0] >= platform
    house.feed.hear(Refused(0, tuple(platform)))
    await house.holding.settle()
    assert not house.exchange.held[0] & platform
    house.hands.forward(PERIODS.refused_s + 1)
    await house.holding.settle()
    assert house.exchange.held[0] >= platform


async def test_an_always_collected_ticker_that_is_not_heard_is_named() -> None:
    """Promise: `/ready` can tell which of the tickers that must be there is not."""
    house = House(INDEX, OPTION, always=["btc_usd", "BTC-27MAR26-100000-C", "nope_usd"])
    assert house.holding.unheard() == ["BTC-27MAR26-100000-C", "btc_usd", "nope_usd"]
    await house.begin()
    house.heard(INDEX)
    house.heard(OPTION)
    assert house.holding.unheard() == ["nope_usd"]
    house.feed.hear(Denied(0, (CHANNELS[INDEX],), 13004))
    assert house.holding.unheard() == ["btc_usd", "nope_usd"]


async def test_held_is_what_the_exchange_has_granted() -> None:
    """Promise: an operator isn't told that a channel is held because somebody wants it."""
    house = House(INDEX, OPTION)
    await house.begin()
    house.feed.hear(Lost(0, tuple(CHANNELS.values()), "the connection broke"))
    assert (house.holding.watched, house.holding.held()) == (frozenset({"btc_usd", OPTION.name}), [])
    house.feed.hear(Held(0, tuple(CHANNELS.values())))
    assert house.holding.held() == [OPTION.name, "btc_usd"]
    house.feed.hear(Lost(0, (CHANNELS[INDEX],), "the connection broke"))
    house.feed.hear(Refused(0, (CHANNELS[INDEX],)))
    assert house.holding.held() == [OPTION.name]
