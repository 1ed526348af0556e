"""Suggestions: what was probably meant comes first, and nonsense gets none."""

import pytest

from cryptomarket.catalog.likeness import Likeness

NAMES = [
    "btc_usd",
    "eth_usd",
    "sol_usdc",
    "BTC-PERPETUAL",
    "ETH-PERPETUAL",
    "SOL_USDC-PERPETUAL",
    *(f"BTC-27DEC26-{strike}-{side}" for strike in range(50_000, 60_000, 500) for side in "CP"),
]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("btcusd", "btc_usd"),
        ("BTC_USDD", "btc_usd"),
        ("btc-perp", "BTC-PERPETUAL"),
        ("ETH-PREPETUAL", "ETH-PERPETUAL"),
        ("btc-27dec26-55000", "BTC-27DEC26-55000-C"),
        ("btc", "btc_usd"),
        ("sol", "sol_usdc"),
        (" btc_usd", "btc_usd"),
    ],
)
def test_the_name_that_was_meant_comes_first(typed: str, meant: str) -> None:
    assert Likeness(NAMES).nearest(typed, 3)[0] == meant


@pytest.mark.parametrize("typed", ["", " ", "zzz", "!!!", "nope", "b", "ж" * 30])
def test_nothing_is_suggested_for_what_is_like_no_name(typed: str) -> None:
    """Promise: nobody is asked whether he meant a name that shares nothing with his."""
    assert list(Likeness(NAMES).nearest(typed, 3)) == []
    assert list(Likeness([]).nearest(typed, 3)) == []


def test_a_name_that_was_taken_out_is_not_suggested() -> None:
    likeness = Likeness(NAMES)
    likeness.remove("btc_usd")
    likeness.remove("never there")
    assert "btc_usd" not in likeness.nearest("btc_usd", 10)
    likeness.add("btc_usd")
    assert likeness.nearest("btc_usd", 1) == ["btc_usd"]
