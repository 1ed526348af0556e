"""Candles agree with the market and with one another."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from __tests__.simulator.talk import NOW_US
from cryptomarket.simulator import trades
from cryptomarket.simulator.candles import RESOLUTIONS_S, volatility_candles
from cryptomarket.simulator.world import World

WORLD = World(1, 0.0, {}, 1.0, NOW_US)
LISTING = WORLD.listed["BTC-PERPETUAL"]
NOW_MS = NOW_US // 1000


@pytest.mark.no_cover  # many examples of what other tests run as well
@given(st.sampled_from(sorted(RESOLUTIONS_S)), st.integers(0, 200))
def test_a_chart_is_whole_and_its_candles_join(resolution: str, count: int) -> None:
    length_ms = RESOLUTIONS_S[resolution] * 1000
    chart = WORLD.candles.chart(LISTING, NOW_MS - count * length_ms, NOW_MS, resolution, NOW_US)
    ticks, opens, closes = chart["ticks"], chart["open"], chart["close"]
    assert isinstance(ticks, list)
    assert isinstance(opens, list)
    assert isinstance(closes, list)
    assert len({len(column) for column in chart.values() if isinstance(column, list)}) == 1
    assert all(later - earlier == length_ms for earlier, later in itertools.pairwise(ticks))
    assert closes[:-1] == opens[1:], "a candle opens where the one before closed"


def test_a_closed_candle_never_changes() -> None:
    closed = WORLD.candles.at(LISTING, NOW_US // 1_000_000 - 60, 60, NOW_US)
    assert WORLD.candles.at(LISTING, NOW_US // 1_000_000 - 60, 60, NOW_US + 86_400_000_000) == closed
    assert closed.low <= min(closed.open, closed.close) <= max(closed.open, closed.close) <= closed.high


def test_what_never_traded_has_no_data() -> None:
    quiet = next(item for item in WORLD.listed.values() if item.trades_s is None)
    chart = WORLD.candles.chart(quiet, NOW_MS - 3_600_000, NOW_MS, "1", NOW_US)
    assert chart == {"status": "no_data", "ticks": [], "open": [], "high": [], "low": [], "close": [], "volume": [],
                     "cost": []}  # fmt: skip


def test_a_long_answer_says_where_to_go_on() -> None:
    found = volatility_candles(WORLD.market, "btc_usd", NOW_MS - 3_000_000, NOW_MS, 1)
    rows, continuation = found["data"], found["continuation"]
    assert isinstance(rows, list)
    assert len(rows) == 1000
    assert isinstance(continuation, int)
    assert continuation < rows[0][0]
    assert volatility_candles(WORLD.market, "btc_usd", NOW_MS - 60_000, NOW_MS, 60)["continuation"] is None


@pytest.mark.parametrize("resolution", ["1", "5", "60"])
def test_where_nothing_was_traded_a_candle_is_filled_in(resolution: str) -> None:
    """Promise: as the exchange does it: at the close before, without volume, and nowhere else."""
    seldom = next(item for item in WORLD.listed.values() if item.trades_s is not None and item.trades_s > 600)
    length_ms = RESOLUTIONS_S[resolution] * 1000
    start_ms = (NOW_MS - 86_400_000) // length_ms * length_ms
    chart = WORLD.candles.chart(seldom, start_ms, NOW_MS - length_ms, resolution, NOW_US)
    rows, _ = trades.search(WORLD, [seldom], NOW_US, trades.Bounds(start_ms, NOW_MS), count=10_000, ascending=True)
    traded = {row["timestamp"] // length_ms * length_ms for row in rows if isinstance(row["timestamp"], int)}
    columns = (chart[name] for name in ("ticks", "open", "high", "low", "close", "volume", "cost"))
    candles = list(zip(*(column for column in columns if isinstance(column, list)), strict=True))
    assert [candle[0] in traded for candle in candles] == [candle[5] != 0 for candle in candles]
    assert any(candle[5] for candle in candles)
    for (*_, before, _, _), (_, *prices, volume, cost) in itertools.pairwise(candles):
        assert prices[0] == before
        if not volume:
            assert (prices, cost) == ([before] * 4, 0)
