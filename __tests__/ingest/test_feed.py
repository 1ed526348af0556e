"""The pump from the exchange to the bus: in order, malformed words dropped, nothing published for another's slot."""

import msgspec
import pytest

from __tests__.ingest.house import INDEX, OPTION, House
from cryptomarket.deribit.events import Garbled, Heard, Lost
from cryptomarket.market.instruments import Instrument
from cryptomarket.market.wire import decode_tick

CHANNEL = "deribit_price_index.btc_usd"


async def test_ticks_are_published_in_the_order_of_hearing() -> None:
    """Promise: one order, that of hearing, over all tickers."""
    house = House(INDEX, OPTION)
    await house.begin()
    for price in range(1, 6):
        house.hands.forward(1)
        house.heard(INDEX, price=price)
        house.heard(OPTION, price=price)
    await house.feed.publish_outbox()
    head = await house.backplane.bus.head()
    published = await house.backplane.bus.since(type(head)(head.epoch, 0), head.seq, 100)
    ticks = [decode_tick(word.payload) for word in published if word.kind == "tick"]
    assert [(tick.ticker, str(tick.price)) for tick in ticks] == [
        (ticker, str(price)) for price in range(1, 6) for ticker in (INDEX.name, OPTION.name)
    ]
    assert all(tick.published_us is not None and tick.published_us >= tick.received_us for tick in ticks)


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"price":"1","timestamp":1}', b'{"price":1,"timestamp":"x"}', b"{"]
)
async def test_a_malformed_word_is_counted_and_dropped_and_the_next_is_heard(data: bytes) -> None:
    """Promise: no made-up price; the session lives on."""
    house = House(INDEX)
    await house.begin()
    house.feed.hear(Heard(0, CHANNEL, msgspec.Raw(data), house.hands.now_us))
    assert await house.told() == []
    assert house.feed.counts.malformed == 1
    house.heard(INDEX)
    assert await house.told() == ["tick", "live:None"]


@pytest.mark.parametrize("instrument", [INDEX, OPTION])
async def test_a_malformed_word_is_a_gap_until_the_next_one(instrument: Instrument) -> None:
    """Promise: a tick that could not be read is told as missed, from the last to the next; no other ticker is hurt."""
    house = House(INDEX, OPTION)
    await house.begin()
    house.heard(INDEX)
    house.heard(OPTION)
    await house.told()
    channel = CHANNEL if instrument is INDEX else f"ticker.{OPTION.name}.100ms"
    house.feed.hear(Heard(0, channel, msgspec.Raw(b"[]"), house.hands.now_us))
    house.feed.hear(Heard(0, channel, msgspec.Raw(b"[]"), house.hands.now_us))
    assert await house.told() == ["stale:malformed"]
    house.hands.forward(1)
    house.heard(instrument, price=2)
    assert await house.told() == ["gap:malformed", "tick", "live:heard"]
    house.heard(OPTION if instrument is INDEX else INDEX, price=3)
    assert await house.told() == ["tick"]


async def test_a_frame_that_names_nothing_is_a_gap_of_every_ticker_of_its_session() -> None:
    """Promise: where it can't be told whose word was lost, it may have been anybody's of that session."""
    house = House(INDEX, OPTION)
    await house.begin()
    house.heard(INDEX)
    house.heard(OPTION)
    await house.told()
    house.feed.hear(Garbled(0, (CHANNEL, f"ticker.{OPTION.name}.100ms", "unheard.of"), "not JSON"))
    assert await house.told() == ["stale:malformed", "stale:malformed"]
    assert house.feed.counts.malformed > 0
    house.hands.forward(1)
    house.heard(INDEX, price=2)
    assert await house.told() == ["gap:malformed", "tick", "live:heard"]
    house.feed.hear(Garbled(0, (CHANNEL,), "not JSON"))
    house.feed.hear(Lost(0, (CHANNEL,), "the connection broke"))
    assert await house.told() == ["stale:malformed", "down:disconnect"]


async def test_what_nobody_listens_to_is_not_published() -> None:
    """Promise: a late word of a channel that was given up is no tick."""
    house = House(INDEX)
    await house.begin()
    house.feed.hear(Heard(0, "deribit_price_index.eth_usd", msgspec.Raw(b"{}"), house.hands.now_us))
    assert await house.told() == []


async def test_a_lost_session_is_told_of_each_of_its_channels_and_of_no_other() -> None:
    """Promise: `down` at once for what the session held."""
    house = House(INDEX, OPTION)
    await house.begin()
    house.heard(INDEX)
    house.heard(OPTION)
    await house.told()
    house.feed.hear(Lost(0, (CHANNEL,), "the connection broke"))
    assert await house.told() == ["down:disconnect"]
    assert house.feed.watches[OPTION.name].cause is None


async def test_the_words_of_a_slot_that_is_anothers_are_not_published() -> None:
    """Promise: during a split, an old owner can't write; what it knew is forgotten."""
    house = House(INDEX)
    await house.begin()
    house.hands.forward(2000)
    taken = await house.backplane.leases.acquire("slot:0", "another", life_s=1000)
    assert taken is not None
    house.heard(INDEX)
    assert await house.told() == []
    assert house.feed.counts.unowned > 0
    assert house.feed.watches == {}


async def test_a_silent_index_is_marked_and_a_silent_instrument_is_to_be_asked_for() -> None:
    """Promise: 5 s for an index; an instrument is asked for, since it is sent only on change."""
    house = House(INDEX, OPTION)
    await house.begin()
    house.heard(INDEX)
    house.heard(OPTION)
    await house.told()
    house.hands.forward(5.1)
    assert house.feed.check_silence() == []
    assert await house.told() == ["stale:silence"]
    house.hands.forward(25)
    assert [watch.ticker for watch in house.feed.check_silence()] == [OPTION.name]
