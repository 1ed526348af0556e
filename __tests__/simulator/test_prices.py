"""Same seed, same market; and a believable one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from __tests__.simulator.talk import NOW_US
from cryptomarket.simulator.names import INDEX_NAMES
from cryptomarket.simulator.prices import Market, black, decimals, to_tick

NOW_S = NOW_US / 1e6
TIMES = st.floats(0, 1e7).map(lambda later: NOW_S + later)


@given(st.integers(0, 1 << 32), st.sampled_from(INDEX_NAMES), TIMES)
def test_same_seed_same_market(seed: int, name: str, time_s: float) -> None:
    assert Market(seed).index(name, time_s) == Market(seed).index(name, time_s)


def test_another_seed_is_another_market() -> None:
    assert Market(1).index("btc_usd", NOW_S) != Market(2).index("btc_usd", NOW_S)


def test_an_origin_moves_the_market_along() -> None:
    """With `origin="start"` each run begins with the same prices."""
    assert Market(1, NOW_S).index("btc_usd", NOW_S + 60) == Market(1, 0.0).index("btc_usd", 60.0)


@given(TIMES)
def test_bitcoin_and_ether_stay_near_their_anchors(time_s: float) -> None:
    market = Market(1)
    assert 60_000 < market.index("btc_usd", time_s) < 120_000
    assert 1_700 < market.index("eth_usd", time_s) < 4_300


def test_indices_of_one_coin_agree() -> None:
    market = Market(1)
    assert market.index("btc_usdc", NOW_S) == pytest.approx(market.index("btc_usd", NOW_S), rel=0.01)
    ratio = market.index("eth_usd", NOW_S) / market.index("btc_usd", NOW_S)
    assert market.index("eth_btc", NOW_S) == pytest.approx(ratio, rel=1e-3)
    assert market.index("drbfix-btc_usdc", NOW_S) == market.index("btc_usdc", NOW_S)


@given(st.floats(100, 1e5), st.floats(0.5, 2), st.floats(0.05, 2), st.floats(0.01, 2))
def test_calls_and_puts_keep_parity(forward: float, moneyness: float, volatility: float, years: float) -> None:
    strike = forward * moneyness
    call, call_greeks = black(forward, strike, volatility, years, is_call=True)
    put, put_greeks = black(forward, strike, volatility, years, is_call=False)
    assert call - put == pytest.approx(forward - strike, abs=1e-6 * forward)
    assert 0 <= call_greeks.delta <= 1
    assert -1 <= put_greeks.delta <= 0


@given(st.integers(1, 10**7), st.sampled_from([0.5, 0.05, 2.5, 0.0001, 0.01]))
def test_a_price_sits_on_its_tick_without_binary_dust(ticks: int, tick: float) -> None:
    price = to_tick(ticks * tick + tick * 0.3, tick)
    assert price == pytest.approx(ticks * tick)
    assert len(repr(price).rpartition(".")[2]) <= 10


def test_small_prices_have_more_decimals() -> None:
    assert [decimals(price) for price in (85_000.0, 2.15, 0.15, 8.6e-6)] == [2, 4, 6, 10]
