"""What is listed and what it costs: filters, unknown names, and agreement with the channels."""

import pytest

from __tests__.simulator.talk import Talk


@pytest.mark.parametrize("kind", ["future", "option", "spot", "future_combo", "option_combo"])
@pytest.mark.parametrize("currency", ["BTC", "USDC", "any"])
def test_instruments_are_filtered(talk: Talk, kind: str, currency: str) -> None:
    found = talk.result("public/get_instruments", currency=currency, kind=kind)
    everything = talk.result("public/get_instruments")
    assert {item["kind"] for item in found} <= {kind}
    if currency == "any":
        assert len(found) == sum(item["kind"] == kind for item in everything)
    elif kind != "spot":
        assert {item["settlement_currency"] for item in found} <= {currency}


@pytest.mark.parametrize(("name", "reason"), [("BTC-1JAN99", "instrument not found"), ("nonsense", "wrong format")])
def test_an_unknown_instrument_is_named(talk: Talk, name: str, reason: str) -> None:
    error = talk.error("public/ticker", instrument_name=name)
    assert error["data"] == {"reason": reason, "param": "instrument_name"}


def test_the_ticker_of_a_quiet_instrument_is_what_its_channel_said(talk: Talk) -> None:
    """A reader that asks after a silence must be able to tell a calm instrument from a broken feed."""
    name = "BTC-25DEC26-50000-C"
    talk.subscribe(f"ticker.{name}.100ms")
    talk.pass_time(60)
    told = talk.notices(f"ticker.{name}.100ms")
    assert talk.result("public/ticker", instrument_name=name) == told[-1]
    assert len(told) == 1


def test_the_index_price_is_what_its_channel_said(talk: Talk) -> None:
    talk.subscribe("deribit_price_index.btc_usd")
    talk.pass_time(10.5)
    told = talk.notices("deribit_price_index.btc_usd")[-1]["price"]
    assert talk.result("public/get_index_price", index_name="btc_usd")["index_price"] == told


def test_the_order_book_agrees_with_the_ticker(talk: Talk) -> None:
    book = talk.result("public/get_order_book", instrument_name="BTC-PERPETUAL", depth=1)
    assert book["bids"] == [[book["best_bid_price"], book["best_bid_amount"]]]
    assert book["asks"] == [[book["best_ask_price"], book["best_ask_amount"]]]


def test_expirations_are_in_order(talk: Talk) -> None:
    found = talk.result("public/get_expirations", currency="BTC", kind="any")
    assert found["future"][0] == "21NOV26"
    assert found["future"][-1] == "PERPETUAL"
    assert "21NOV26" in found["option"]
