"""Typed questions: each is answered in our words, and nonsense is the exchange's failure."""

import pytest

from __tests__.deribit.ears import Ears, options_for, running_pool
from cryptomarket.clock import Clock
from cryptomarket.deribit.history import Records
from cryptomarket.deribit.mapping import index_instrument
from cryptomarket.errors import ExchangeFatal, ExchangeUnavailable
from cryptomarket.market.instruments import Kind
from cryptomarket.market.ticks import PerpetualSummary
from cryptomarket.simulator.server import RunningSimulator


class Nonsense:
    """An exchange that answers everything alike."""

    async def request(self, method: str, params: dict[str, object], *, timeout_s: float) -> bytes:
        return b'{"answer":42}'


async def test_the_exchange_answers_in_our_words(simulator: RunningSimulator, ears: Ears) -> None:
    async with running_pool(options_for(simulator), ears) as pool:
        records = Records(pool, clock=Clock.system(), timeout_s=5)
        assert {"btc_usd", "eth_usd"} <= set(await records.index_names())
        instruments = await records.instruments()
        assert {instrument.kind for instrument in instruments} == set(Kind) - {Kind.INDEX}
        perpetual = await records.instrument("BTC-PERPETUAL")
        assert perpetual in instruments
        assert (perpetual.kind, perpetual.expiration_ms) == (Kind.PERPETUAL, None)
        tick = await records.ticker(perpetual)
        assert (tick.ticker, tick.kind) == ("BTC-PERPETUAL", Kind.PERPETUAL)
        assert isinstance(tick.summary, PerpetualSummary)
        with pytest.raises(ExchangeFatal):
            await records.instrument("NOPE-PERPETUAL")


async def test_nonsense_is_an_exchange_that_is_away() -> None:
    records = Records(Nonsense(), clock=Clock.system())
    with pytest.raises(ExchangeUnavailable):
        await records.index_names()
    with pytest.raises(ExchangeUnavailable):
        await records.instruments()
    with pytest.raises(ExchangeUnavailable):
        await records.instrument("BTC-PERPETUAL")


async def test_an_index_is_not_asked_for_a_ticker() -> None:
    with pytest.raises(ValueError, match="index"):
        await Records(Nonsense(), clock=Clock.system()).ticker(index_instrument("btc_usd"))
