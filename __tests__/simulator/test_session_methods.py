"""Subscribing: what is accepted, what is silently left out, and what is refused as a whole."""

from __tests__.simulator.talk import Talk
from cryptomarket.simulator.options import SimulatorOptions


def test_unknown_channels_are_silently_left_out(talk: Talk) -> None:
    good = ["ticker.BTC-PERPETUAL.100ms", "deribit_price_index.btc_usd", "book.ETH-PERPETUAL.none.10.100ms"]
    bad = ["ticker.NO-SUCH.100ms", "deribit_price_index.no_such", "book.BTC-PERPETUAL.7ms", "nonsense",
           "perpetual.BTC-25DEC26.100ms", "user.portfolio.btc"]  # fmt: skip
    assert sorted(talk.subscribe(*good, *bad)) == sorted(good)
    assert talk.subscribe(*bad) == []


def test_raw_refuses_the_whole_call_until_somebody_logs_in(talk: Talk) -> None:
    wanted = ("deribit_price_index.btc_usd", "ticker.BTC-PERPETUAL.raw")
    error = talk.error("public/subscribe", channels=list(wanted))
    assert error == {"code": 13778, "message": "raw_subscriptions_not_available_for_unauthorized"}
    assert talk.exchange.subscriptions.followers() == {}
    talk.login()
    assert sorted(talk.subscribe(*wanted)) == sorted(wanted)


def test_private_subscribe_takes_public_channels_too(talk: Talk) -> None:
    assert talk.error("private/subscribe", channels=["deribit_price_index.btc_usd"])["data"] == {
        "reason": "invalid_token"
    }
    talk.login()
    found = talk.result("private/subscribe", channels=["deribit_price_index.btc_usd", "user.portfolio.btc"])
    assert sorted(found) == ["deribit_price_index.btc_usd", "user.portfolio.btc"]


def test_at_most_500_channels_in_a_call(talk: Talk) -> None:
    names = [f"deribit_price_index.no_{number}" for number in range(501)]
    assert talk.subscribe(*names[:500]) == []
    assert talk.error("public/subscribe", channels=names)["code"] == -32602


def test_subscribing_again_is_acknowledged_without_a_second_snapshot(talk: Talk) -> None:
    channel = "book.BTC-PERPETUAL.100ms"
    talk.subscribe(channel)
    assert talk.subscribe(channel) == [channel]
    talk.pass_time(5)
    assert [data["type"] for data in talk.notices(channel)].count("snapshot") == 1


def test_unsubscribing_answers_what_was_really_removed(talk: Talk) -> None:
    talk.subscribe("deribit_price_index.btc_usd")
    asked = ["deribit_price_index.btc_usd", "deribit_price_index.eth_usd", "nonsense"]
    assert talk.result("public/unsubscribe", channels=asked) == ["deribit_price_index.btc_usd"]
    talk.inbox.clear()
    talk.pass_time(5)
    assert talk.inbox == []


def test_unsubscribe_all(talk: Talk) -> None:
    talk.subscribe("deribit_price_index.btc_usd", "ticker.BTC-PERPETUAL.100ms")
    assert talk.result("public/unsubscribe_all") == "ok"
    assert talk.exchange.subscriptions.followers() == {}


def test_too_many_requests_end_the_session() -> None:
    talk = Talk(SimulatorOptions())
    replies = [talk.ask("public/test") for _ in range(101)]
    assert all("result" in reply for reply in replies[:100])
    assert replies[100]["error"]["code"] == 10028
    assert talk.closed is not None


def test_the_eleventh_subscription_in_a_burst_ends_the_session() -> None:
    talk = Talk(SimulatorOptions())
    for _ in range(10):
        talk.subscribe("deribit_price_index.btc_usd")
    assert talk.error("public/subscribe", channels=[])["code"] == 10028
    assert talk.closed is not None


def test_a_clean_status_and_a_locked_one(talk: Talk) -> None:
    assert talk.result("public/status") == {"locked": "false"}
    talk.exchange.world.locked.add("btc_usd")
    assert talk.result("public/status") == {"locked": "partial", "locked_indices": ["btc_usd"]}
