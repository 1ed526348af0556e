"""Candles agree with the market and with one another."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from __tests__.simulator.talk import NOW_US
from cryptomarket.simulator.candles import RESOLUTIONS_S, volatility_candles
from cryptomarket.simulator.world import World

WORLD = World(1, 0.0, {}, 1.0, NOW_US)
LISTING = WORLD.listed["BTC-PERPETUAL"]
NOW_MS = NOW_US // 1000


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
