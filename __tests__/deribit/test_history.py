"""Typed questions: each is answered in our words, and nonsense is the exchange's failure."""

import pytest

from __tests__.deribit.ears import Ears, options_for, running_pool
from cryptomarket.clock import Clock
from cryptomarket.deribit.history import IndexPrices, Records
from cryptomarket.deribit.mapping import index_instrument
from cryptomarket.deribit.messages import Stamped
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


async def test_an_index_has_the_time_of_the_answer(simulator: RunningSimulator, ears: Ears) -> None:
    """Promise: the price of a question is exact, and its time is when the exchange says that it sent the answer."""
    async with running_pool(options_for(simulator), ears) as pool:
        before_ms = Clock.system().wall_ms()
        answer = await pool.stamped("public/get_index_price", {"index_name": "btc_usd"}, timeout_s=5)
        tick = await IndexPrices(pool, clock=Clock.system(), timeout_s=5).price("btc_usd")
        assert answer.us_out is not None
        assert before_ms - 1000 <= answer.us_out // 1000 <= tick.timestamp_ms <= Clock.system().wall_ms() + 1000
        assert (tick.ticker, tick.kind, tick.summary) == ("btc_usd", Kind.INDEX, None)
        assert tick.price is not None
        with pytest.raises(ExchangeFatal):
            await IndexPrices(pool, clock=Clock.system(), timeout_s=5).price("nope_usd")


class Timeless:
    """An exchange that says no time, or nonsense."""

    def __init__(self, result: bytes, us_out: int | None) -> None:
        self._answer = Stamped(result, us_out)

    async def request(self, method: str, params: dict[str, object], *, timeout_s: float) -> bytes:
        return self._answer.result

    async def stamped(self, method: str, params: dict[str, object], *, timeout_s: float) -> Stamped:
        return self._answer


@pytest.mark.parametrize("answer", [(b'{"index_price":1.5}', None), (b'{"price":1.5}', 1)])
async def test_a_price_without_a_time_is_none(answer: tuple[bytes, int | None]) -> None:
    """Promise: nothing is stored under a time that nobody has said."""
    with pytest.raises(ExchangeUnavailable):
        await IndexPrices(Timeless(*answer), clock=Clock.system()).price("btc_usd")


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
