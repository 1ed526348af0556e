"""The exchange's own candles: of the simulator, and as the exchange has recorded ones."""

import json
from decimal import Decimal

import pytest

from __tests__.deribit.ears import Ears, options_for, running_pool
from cryptomarket.clock import Clock
from cryptomarket.deribit.charts import AT_ONCE, Charts
from cryptomarket.deribit.history import Records
from cryptomarket.deribit.mapping import index_instrument
from cryptomarket.deribit.trades import Trades
from cryptomarket.errors import ExchangeUnavailable
from cryptomarket.market.candles import Resolution
from cryptomarket.market.instruments import Instrument, Kind
from cryptomarket.simulator.server import RunningSimulator

MINUTE_MS = 60_000
START_MS = 1_790_165_100_000
PERPETUAL = Instrument("BTC-PERPETUAL", Kind.PERPETUAL)


class Chart:
    """An exchange of which a test says what it answers; remembers what it was asked."""

    def __init__(self, answer: str) -> None:
        self.answer = answer
        self.asked: list[dict[str, object]] = []

    async def request(self, method: str, params: dict[str, object], *, timeout_s: float) -> bytes:
        assert method == "public/get_tradingview_chart_data"
        self.asked.append(params)
        return self.answer.encode()


def chart(*rows: tuple[str, str, str, str, str], start_ms: int = START_MS - MINUTE_MS) -> str:
    """Minutes in a row as the exchange tells them: open, high, low, close, volume."""
    columns = dict(zip(("open", "high", "low", "close", "volume"), zip(*rows, strict=True), strict=True))
    ticks = [start_ms + at * MINUTE_MS for at in range(len(rows))]
    told = ",".join(f'"{name}":[{",".join(column)}]' for name, column in {**columns, "cost": columns["volume"]}.items())
    return f'{{"status":"ok","ticks":{json.dumps(ticks)},{told}}}'


async def test_what_the_exchange_has_filled_in_is_marked() -> None:
    """Promise: a candle without volume that stands at the close before is synthetic; one with volume is not, nor one
    that stands elsewhere; prices are exact; the one more that is asked for is not told.
    """
    told = chart(
        ("85499", "8.55E+4", "85499", "8.55E+4", "1.5"),
        ("85500.0", "85500.0", "85500.0", "85500.0", "0"),
        ("85500.0", "85500.0", "85500.0", "85500.0", "0"),
        ("85500.0", "85500.0", "85500.0", "85500.0", "0.0001"),
        ("85501", "85501", "85501", "85501", "0"),
    )
    exchange = Chart(told)
    found = await Charts(exchange).candles(PERPETUAL, Resolution.MINUTE_1, START_MS, START_MS + 4 * MINUTE_MS)
    assert [each.is_synthetic for each in found] == [True, True, False, False]
    assert [each.start_ms for each in found] == [START_MS + at * MINUTE_MS for at in range(4)]
    assert {each.source for each in found} == {"backfill"}
    assert (found[0].open, found[3].close) == (Decimal(85500), Decimal(85501))
    assert exchange.asked[0]["start_timestamp"] == START_MS - MINUTE_MS
    assert exchange.asked[0]["end_timestamp"] == START_MS + 4 * MINUTE_MS - 1


async def test_of_the_first_that_ever_was_nothing_is_before() -> None:
    """Promise: without a predecessor, no volume and one price are enough."""
    first = Chart(chart(("7", "7", "7", "7", "0"), start_ms=START_MS))
    (found,) = await Charts(first).candles(PERPETUAL, Resolution.MINUTE_1, START_MS, START_MS + MINUTE_MS)
    assert found.is_synthetic


async def test_an_index_has_none_and_nonsense_is_an_exchange_that_is_away() -> None:
    """Promise: a mistake of ours is told as one, and one of the exchange's as its own; no data are no candles."""
    with pytest.raises(ValueError, match="no candles"):
        await Charts(Chart("{}")).candles(index_instrument("btc_usd"), Resolution.DAY_1, 0, 1)
    nothing = Chart('{"status":"no_data","ticks":[],"open":[],"high":[],"low":[],"close":[],"volume":[],"cost":[]}')
    assert await Charts(nothing).candles(PERPETUAL, Resolution.DAY_1, 0, 1) == []
    for answer in ('{"ticks":42}', '{"status":"ok","ticks":[60000],"open":[1]}'):
        with pytest.raises(ExchangeUnavailable):
            await Charts(Chart(answer)).candles(PERPETUAL, Resolution.MINUTE_1, 0, 120_000)


async def test_a_long_range_of_the_simulator_comes_whole(simulator: RunningSimulator, ears: Ears) -> None:
    """Promise: a range of several questions is told once, in order, without a hole; every resolution is known."""
    async with running_pool(options_for(simulator), ears) as pool:
        perpetual = await Records(pool, clock=Clock.system(), timeout_s=5).instrument("BTC-PERPETUAL")
        charts = Charts(pool, timeout_s=5)
        end_ms = Resolution.MINUTE_1.start_of(Clock.system().wall_ms())
        start_ms = end_ms - (AT_ONCE + 7) * MINUTE_MS
        found = await charts.candles(perpetual, Resolution.MINUTE_1, start_ms, end_ms)
        assert [each.start_ms for each in found] == list(range(start_ms, end_ms, MINUTE_MS))
        assert all(each.low <= min(each.open, each.close) <= max(each.open, each.close) <= each.high for each in found)
        for resolution in Resolution:
            first_ms = resolution.start_of(end_ms) - 2 * resolution.length_ms
            told = await charts.candles(perpetual, resolution, first_ms, first_ms + 2 * resolution.length_ms)
            assert [each.start_ms for each in told] == [first_ms, first_ms + resolution.length_ms]


async def test_of_what_is_seldom_traded_the_minutes_between_are_synthetic(
    simulator: RunningSimulator, ears: Ears
) -> None:
    """Promise: a candle is marked exactly where the exchange tells of no trade."""
    seldom = next(item for item in simulator.exchange.world.listed.values() if item.trades_s == 300)
    async with running_pool(options_for(simulator), ears) as pool:
        option = await Records(pool, clock=Clock.system(), timeout_s=5).instrument(seldom.name)
        end_ms = Resolution.MINUTE_1.start_of(Clock.system().wall_ms())
        start_ms = end_ms - 60 * MINUTE_MS
        found = await Charts(pool, timeout_s=5).candles(option, Resolution.MINUTE_1, start_ms, end_ms)
        trades = await Trades(pool, clock=Clock.system(), timeout_s=5).between(option, start_ms, end_ms, limit=1000)
    traded_ms = {Resolution.MINUTE_1.start_of(trade.timestamp_ms) for trade in trades}
    assert 0 < len(traded_ms) < 60
    assert {each.start_ms for each in found if not each.is_synthetic} == traded_ms
