"""Every method answers in the shape of Deribit's specification."""

import json

import pytest

from __tests__.simulator.talk import NOW_US, Talk, schema, validate, validate_reply
from cryptomarket.simulator.methods import METHODS

NOW_MS = NOW_US // 1000
HOUR = {"start_timestamp": NOW_MS - 3_600_000, "end_timestamp": NOW_MS}
PERPETUAL: dict[str, object] = {"instrument_name": "BTC-PERPETUAL"}
CALLS: list[tuple[str, dict[str, object]]] = [
    ("public/auth", {"grant_type": "client_credentials", "client_id": "demo-1", "client_secret": "demo-1-secret"}),
    ("public/auth", {"grant_type": "client_credentials", "client_id": "demo-1", "client_secret": "demo-1-secret",
                     "scope": "session:mine", "state": "s"}),
    ("public/set_heartbeat", {"interval": 30}),
    ("public/disable_heartbeat", {}),
    ("public/test", {}),
    ("public/hello", {"client_name": "test", "client_version": "1"}),
    ("public/get_time", {}),
    ("public/status", {}),
    ("public/subscribe", {"channels": ["ticker.BTC-PERPETUAL.100ms", "bogus"]}),
    ("public/unsubscribe", {"channels": ["ticker.BTC-PERPETUAL.100ms", "bogus"]}),
    ("public/unsubscribe_all", {}),
    ("private/subscribe", {"channels": ["user.portfolio.btc", "ticker.BTC-PERPETUAL.raw"]}),
    ("private/unsubscribe", {"channels": ["user.portfolio.btc"]}),
    ("private/unsubscribe_all", {}),
    ("private/get_account_summary", {"currency": "BTC"}),
    ("private/get_account_summary", {"currency": "USDC", "extended": True}),
    ("private/get_account_summaries", {"extended": True}),
    ("public/get_currencies", {}),
    ("public/get_index_price", {"index_name": "btc_usd"}),
    ("public/get_index_price_names", {}),
    ("public/get_supported_index_names", {"type": "derivative"}),
    ("public/get_index_chart_data", {"index_name": "eth_usd", "range": "1d"}),
    ("public/get_instruments", {}),
    ("public/get_instruments", {"currency": "any"}),
    ("public/get_instruments", {"currency": "USDC", "kind": "spot"}),
    ("public/get_instruments", {"currency": "BTC", "kind": "option", "expired": True}),
    ("public/get_instrument", PERPETUAL),
    ("public/get_instrument", {"instrument_name": "XRP_USDC-27NOV26-2d125-C"}),
    ("public/get_contract_size", PERPETUAL),
    ("public/ticker", PERPETUAL),
    ("public/ticker", {"instrument_name": "BTC-25DEC26-50000-C"}),
    ("public/get_order_book", {**PERPETUAL, "depth": 20}),
    ("public/get_tradingview_chart_data", {**PERPETUAL, **HOUR, "resolution": "5"}),
    ("public/get_tradingview_chart_data", {"instrument_name": "BTC-25DEC26-50000-C", **HOUR, "resolution": "1D"}),
    ("public/get_volatility_index_data", {"currency": "BTC", **HOUR, "resolution": "60"}),
    ("public/get_volatility_index_data", {"currency": "ETH", **HOUR, "resolution": "1"}),
    ("public/get_last_trades_by_instrument", {**PERPETUAL, "count": 50}),
    ("public/get_last_trades_by_instrument_and_time", {"instrument_name": "BTC-25DEC26-80000-C", **HOUR}),
    ("public/get_last_trades_by_currency", {"currency": "ETH", "kind": "option", "count": 100}),
    ("public/get_last_trades_by_currency_and_time", {"currency": "BTC", "kind": "future", **HOUR}),
    ("public/get_book_summary_by_currency", {"currency": "BTC", "kind": "option"}),
    ("public/get_book_summary_by_currency", {"currency": "USDC"}),
    ("public/get_book_summary_by_instrument", PERPETUAL),
    ("public/get_expirations", {"currency": "grouped", "kind": "any"}),
    ("public/get_combos", {"currency": "BTC"}),
    ("public/get_announcements", {}),
]  # fmt: skip


@pytest.mark.parametrize(("method", "params"), CALLS, ids=[f"{method}-{n}" for n, (method, _) in enumerate(CALLS)])
def test_a_reply_has_the_specified_shape(talk: Talk, method: str, params: dict[str, object]) -> None:
    if method.startswith("private/"):
        talk.login()
    reply = talk.ask(method, **params)
    assert "error" not in reply
    validate_reply(method, reply)


def test_every_method_is_among_the_checked_ones() -> None:
    apart = {"private/logout", "public/fork_token"}
    assert set(METHODS) - {method for method, _ in CALLS} == apart


def test_further_shapes(talk: Talk) -> None:
    """What the extract keeps under a name of its own, and a forked token."""
    results = schema()["results"]
    names = talk.result("public/get_index_price_names", extended=True)
    validate(names, results["public/get_index_price_names_extended"])
    first = talk.login(scope="session:a")
    forked = talk.result("public/fork_token", refresh_token=first["refresh_token"], session_name="b")
    validate(forked, results["public/fork_token"])
    assert forked["sid"] == "b"
    person = talk.result("private/get_account_summary", currency="BTC", extended=True)
    validate(person, results["private/get_account_summary_extended"])


@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_call_with_nothing_or_nonsense_has_a_specified_answer(talk: Talk, method: str) -> None:
    for params in ({}, {"instrument_name": "NO-SUCH", "currency": 7, "index_name": "x", "channels": 3, "count": "x"}):
        talk.send(json.dumps({"id": 1, "method": method, "params": params}).encode())
        reply = talk.inbox[-1]
        assert reply["id"] == 1
        validate_reply(method, reply)


def test_every_listed_instrument_answers_everything(talk: Talk) -> None:
    for instrument in talk.result("public/get_instruments"):
        name = {"instrument_name": instrument["instrument_name"]}
        for method in ("public/ticker", "public/get_order_book"):
            validate_reply(method, talk.ask(method, **name))
