"""One channel for any number of followers, closed with the last; load on demand."""

from __tests__.simulator.talk import Talk
from cryptomarket.simulator.options import SimulatorOptions
from cryptomarket.simulator.outgoing import Send

CHANNEL = "ticker.BTC-PERPETUAL.100ms"


def test_a_frame_is_encoded_once_for_all_followers(talk: Talk) -> None:
    other = Talk(talk.options, shared=talk.exchange)
    talk.subscribe(CHANNEL)
    other.subscribe(CHANNEL)
    talk.pass_time(2, [other])
    shared = [order for order in talk.orders if isinstance(order, Send) and len(order.connections) == 2]
    assert len(shared) >= 9
    assert all(order in other.orders for order in shared)


def test_a_channel_closes_with_its_last_follower(talk: Talk) -> None:
    other = Talk(talk.options, shared=talk.exchange)
    for one in (talk, other):
        one.subscribe(CHANNEL)
    assert talk.exchange.subscriptions.followers() == {CHANNEL: 2}
    talk.exchange.disconnect(other.connection.id)
    assert talk.exchange.subscriptions.followers() == {CHANNEL: 1}
    talk.result("public/unsubscribe", channels=[CHANNEL])
    assert talk.exchange.subscriptions.followers() == {}


def test_unsubscribing_and_subscribing_gives_a_fresh_snapshot(talk: Talk) -> None:
    channel = "book.BTC-PERPETUAL.100ms"
    for _ in range(2):
        talk.subscribe(channel)
        talk.pass_time(1)
        talk.result("public/unsubscribe", channels=[channel])
    assert [data["type"] for data in talk.notices(channel)].count("snapshot") == 2


def test_a_rate_is_forced_over_the_open_price_channels() -> None:
    talk = Talk(SimulatorOptions(credits=False, rate=2_000))
    channels = [CHANNEL, "ticker.ETH-PERPETUAL.100ms", "deribit_price_index.btc_usd", "deribit_price_index.eth_usd"]
    talk.subscribe(*channels)
    talk.inbox.clear()
    talk.pass_time(3)
    counts = [len(talk.notices(channel)) for channel in channels]
    assert sum(counts) in range(5_950, 6_050)
    assert max(counts) - min(counts) <= 1
    told = talk.notices("deribit_price_index.btc_usd")
    assert len({(data["timestamp"], data["price"]) for data in told}) == len(told), "no exact repeats"
