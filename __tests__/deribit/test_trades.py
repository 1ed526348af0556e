"""Trades of the past, from the simulator."""

from decimal import Decimal

import pytest

from __tests__.deribit.ears import Ears, options_for, running_pool
from cryptomarket.clock import Clock
from cryptomarket.deribit.history import Records
from cryptomarket.deribit.mapping import index_instrument
from cryptomarket.deribit.trades import Trades
from cryptomarket.errors import ExchangeUnavailable
from cryptomarket.market.ticks import PerpetualSummary
from cryptomarket.simulator.server import RunningSimulator

SPAN_MS = 120_000


class Nonsense:
    """An exchange that answers everything alike."""

    async def request(self, method: str, params: dict[str, object], *, timeout_s: float) -> bytes:
        return b'{"trades":42}'


async def test_trades_are_ticks_of_which_less_is_known(simulator: RunningSimulator, ears: Ears) -> None:
    """Promise: in order, within the range, prices exact, and nothing said that a trade does not tell."""
    async with running_pool(options_for(simulator), ears) as pool:
        perpetual = await Records(pool, clock=Clock.system(), timeout_s=5).instrument("BTC-PERPETUAL")
        end_ms = Clock.system().wall_ms()
        trades = Trades(pool, clock=Clock.system(), timeout_s=5)
        found = await trades.between(perpetual, end_ms - SPAN_MS, end_ms, limit=10_000)
        assert found
        assert [tick.timestamp_ms for tick in found] == sorted(tick.timestamp_ms for tick in found)
        assert all(end_ms - SPAN_MS <= tick.timestamp_ms < end_ms for tick in found)
        first = found[0]
        assert isinstance(first.price, Decimal)
        assert isinstance(first.summary, PerpetualSummary)
        assert (first.summary.last_price, first.summary.best_bid_price) == (first.price, None)
        few = await trades.between(perpetual, end_ms - SPAN_MS, end_ms, limit=3)
        assert [(tick.timestamp_ms, tick.price) for tick in few] == [
            (tick.timestamp_ms, tick.price) for tick in found[:3]
        ]
        nonsense = Trades(Nonsense(), clock=Clock.system())
        with pytest.raises(ExchangeUnavailable):
            await nonsense.between(perpetual, 0, 1, limit=1)


async def test_an_index_has_no_trades_and_nonsense_is_an_exchange_that_is_away() -> None:
    """Promise: a mistake of ours is told as one, and one of the exchange's as its own."""
    trades = Trades(Nonsense(), clock=Clock.system())
    with pytest.raises(ValueError, match="no trades"):
        await trades.between(index_instrument("btc_usd"), 0, 1, limit=1)
