"""Questions to the exchange from processes without a session: asked by letter, answered as if there were one here."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest

from cryptomarket.backplane.memory import MemoryMailroom
from cryptomarket.deribit.messages import Stamped
from cryptomarket.errors import ExchangeFatal, ExchangeRetryable, ExchangeUnavailable
from cryptomarket.ingest.errands import BOX, ErrandDesk, Errands

ANSWERED_US = 1_790_165_113_481_027


class Pool:
    """Answers as it is told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, object]]] = []
        self.answer: bytes | Exception = b'{"price":8.55e4}'
        self.on_asked: Callable[[], None] = lambda: None

    async def request(self, method: str, params: dict[str, object], *, timeout_s: float) -> bytes:
        return (await self.stamped(method, params, timeout_s=timeout_s)).result

    async def stamped(self, method: str, params: dict[str, object], *, timeout_s: float) -> Stamped:
        self.asked.append((method, params))
        self.on_asked()
        if isinstance(self.answer, Exception):
            raise self.answer
        return Stamped(self.answer, ANSWERED_US)


class World:
    """A pool, and somebody who asks it by letter."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.pool = Pool()
        self.mailroom = MemoryMailroom()
        self.errands = Errands(self.mailroom)
        self.desk = ErrandDesk(self.mailroom, self.pool, monotonic_s=lambda: self.now_s, timeout_s=5)

    async def ask(self, method: str = "public/get_instrument", **params: object) -> bytes:
        async with asyncio.timeout(10):
            return await self.errands.request(method, params, timeout_s=5)


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    built = World()
    serving = asyncio.create_task(built.desk.run())
    try:
        yield built
    finally:
        serving.cancel()
        await asyncio.wait([serving])


async def test_an_answer_comes_back_as_it_was_given() -> None:
    """Promise: digit for digit, as from a pool in this process."""
    async with world() as built:
        assert await built.ask(instrument_name="BTC-PERPETUAL") == b'{"price":8.55e4}'
        assert built.pool.asked == [("public/get_instrument", {"instrument_name": "BTC-PERPETUAL"})]


async def test_a_ticker_may_be_asked_for_by_letter() -> None:
    """Promise: what an instrument says now is a public question, as all that begin with `get_` are."""
    async with world() as built:
        assert await built.ask("public/ticker", instrument_name="BTC-PERPETUAL") == b'{"price":8.55e4}'


async def test_the_time_of_an_answer_comes_back_with_it() -> None:
    """Promise: when the exchange says that it answered is known to the microsecond by who asked by letter."""
    async with world() as built:
        assert (await built.errands.stamped("public/get_index_price", {}, timeout_s=5)).us_out == ANSWERED_US


@pytest.mark.parametrize("kind", [ExchangeFatal, ExchangeRetryable])
async def test_a_refusal_stays_what_it_was(kind: type[ExchangeFatal | ExchangeRetryable]) -> None:
    """Promise: whether asking again can help is known to who has asked."""
    async with world() as built:
        reason = "instrument not found"
        built.pool.answer = kind(-32602, "Invalid params", method="public/get_instrument", reason=reason)
        with pytest.raises(kind) as refused:
            await built.ask()
        assert (refused.value.code, refused.value.message) == (-32602, "Invalid params")
        assert (refused.value.method, refused.value.reason) == ("public/get_instrument", reason)


async def test_an_exchange_that_is_away_is_said_to_be() -> None:
    """Promise: with the time after which to come back."""
    async with world() as built:
        built.pool.answer = ExchangeUnavailable("The exchange can't be reached.", retry_after_s=7)
        with pytest.raises(ExchangeUnavailable, match="can't be reached") as away:
            await built.ask()
        assert away.value.retry_after_s == 7


async def test_nobody_there_is_an_exchange_that_is_away() -> None:
    """Promise: without a process that hears the exchange, who asks is not left waiting beyond his time."""
    with pytest.raises(ExchangeUnavailable, match="No process"):
        await Errands(MemoryMailroom()).request("public/get_instrument", {}, timeout_s=0.05)


@pytest.mark.parametrize("method", ["private/get_account_summary", "public/auth", "public/subscribe"])
async def test_nothing_but_public_questions_is_asked_for_others(method: str) -> None:
    """Promise: whoever can write letters can neither log in nor subscribe with them."""
    async with world() as built:
        with pytest.raises(ExchangeUnavailable, match="not asked for others"):
            await built.ask(method)
        assert built.pool.asked == []


async def test_a_letter_that_cannot_be_read_is_answered() -> None:
    """Promise: it costs nobody his turn."""
    async with world() as built:
        answer = await built.mailroom.ask(BOX, b"no letter", timeout_s=5)
        assert b"could not be read" in answer
        assert await built.ask() == b'{"price":8.55e4}'


async def test_what_every_process_asks_is_asked_once() -> None:
    """Promise: ten processes that start together cost the credits of one; after a while it is asked anew."""
    async with world() as built:
        told = await asyncio.gather(*(built.ask("public/get_instruments", currency="any") for _ in range(10)))
        assert set(told) == {b'{"price":8.55e4}'}
        assert len(built.pool.asked) == 1
        built.now_s += 61
        built.pool.answer = msgspec.json.encode(["new"])
        assert await built.ask("public/get_instruments", currency="any") == b'["new"]'


async def test_what_was_asked_before_the_news_is_asked_anew() -> None:
    """Promise: when something was listed, nobody is answered with the list of before, not even with one that was on
    its way.
    """
    async with world() as built:
        await built.ask("public/get_instruments", currency="any")
        built.desk.forget()
        built.pool.answer = b'["new"]'
        built.pool.on_asked = built.desk.forget
        assert await built.ask("public/get_instruments", currency="any") == b'["new"]'
        built.pool.answer = b'["newer"]'
        assert await built.ask("public/get_instruments", currency="any") == b'["newer"]'


async def test_a_failure_is_not_kept() -> None:
    """Promise: who comes after it asks again."""
    async with world() as built:
        built.pool.answer = ExchangeUnavailable("away")
        with pytest.raises(ExchangeUnavailable):
            await built.ask("public/get_instruments", currency="any")
        built.pool.answer = b"[]"
        assert await built.ask("public/get_instruments", currency="any") == b"[]"
