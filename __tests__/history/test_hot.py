"""Hot questions: one query for a crowd, none for what is known, and never an answer that is no longer true."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from __tests__.history.outside import Names, open_to_all
from __tests__.history.world import (
    NOW_MS,
    StoppedClock,
    heard,
    index_tick,
    live,
    new_bus,
    new_cache,
    publish,
    writing,
)
from cryptomarket.db import Database
from cryptomarket.history.answers import Answer
from cryptomarket.history.hot import Hot
from cryptomarket.history.lines import price_line
from cryptomarket.history.look_repository import Look
from cryptomarket.history.parts import build_history
from cryptomarket.history.questions import TicksQuestion
from cryptomarket.history.repository import Repository
from cryptomarket.history.routes_prices import prices_of
from cryptomarket.market.candles import Resolution
from cryptomarket.market.instruments import Kind

T = NOW_MS - 100_000
A = TypeVar("A")


class Counting(Repository):
    """Counts the looks that are taken at the database."""

    looks = 0

    async def look(self, ask: Callable[[Look], A]) -> A:
        self.looks += 1
        return await super().look(ask)


@pytest.fixture
def counting(database: Database) -> Counting:
    return Counting(database)


def told(answer: Answer) -> int:
    count: int = json.loads(answer.body)["count"]
    return count


async def test_statistics_are_kept_until_something_is_stored(counting: Counting, stopped: StoppedClock) -> None:
    """Promise: the second question about a hot range asks no database; a tick, a state and time make it ask again."""
    bus = new_bus()
    hot: Hot = build_history(counting, bus, new_cache(), open_to_all(), Names(), stopped.clock).hot
    until = NOW_MS + 100_000

    async def asked() -> tuple[int, int]:
        counting.looks = 0
        return told(await hot.stats("btc_usd", T, until)), counting.looks

    async with writing(bus, counting, stopped.clock):
        await publish(bus, live(T), index_tick(T))
    assert [await asked(), await asked()] == [(1, 1), (1, 0)]
    await publish(bus, index_tick(T + 1))
    # What is published and not stored yet is asked for again and again.
    assert [await asked(), await asked()] == [(1, 1), (1, 1)]
    async with writing(bus, counting, stopped.clock):
        """Until it is stored."""
    assert [await asked(), await asked()] == [(2, 1), (2, 0)]
    stopped.now_ms += 60_000
    assert [await asked(), await asked()] == [(2, 1), (2, 0)]
    stopped.now_ms = until + 70_000
    assert await asked() == (2, 1)


async def test_what_is_closed_is_asked_once(counting: Counting, stopped: StoppedClock) -> None:
    """Promise: candles and statistics of a closed range are folded once, whatever is stored afterwards."""
    bus = new_bus()
    hot = build_history(counting, bus, new_cache(), open_to_all(), Names(), stopped.clock).hot
    start = NOW_MS - NOW_MS % 60_000 - 180_000
    async with writing(bus, counting, stopped.clock):
        await publish(bus, live(start), *(index_tick(start + ms) for ms in (0, 10, 59_000, 61_000)))
    counting.looks = 0
    for _ in range(3):
        assert told(await hot.candles("btc_usd", Resolution.MINUTE_1, start, start + 60_000)) == 1
        assert told(await hot.stats("btc_usd", start, start + 60_000)) == 3
        async with writing(bus, counting, stopped.clock):
            await publish(bus, index_tick(start + 62_000))
    assert counting.looks == 2
    await hot.candles("btc_usd", Resolution.MINUTE_1, start, None)
    await hot.candles("btc_usd", Resolution.MINUTE_1, start, None)
    assert counting.looks == 4


async def test_a_crowd_is_one_query(counting: Counting, stopped: StoppedClock) -> None:
    """Promise: identical pages at the same time are read once; other ones are not mixed up with them."""
    bus = new_bus()
    hot = build_history(counting, bus, new_cache(), open_to_all(), Names(), stopped.clock).hot
    async with writing(bus, counting, stopped.clock):
        await publish(bus, index_tick(T), index_tick(T + 1))
    asked = [TicksQuestion("btc_usd", fields=["price"]), TicksQuestion("btc_usd", limit=1)]
    answers = await asyncio.gather(*(hot.ticks(question) for question in asked * 20))
    assert (counting.looks, {told(answer) for answer in answers[::2]}, told(answers[1])) == (2, {2}, 1)
    latest = await asyncio.gather(*(hot.latest("btc_usd") for _ in range(5)))
    assert len(set(latest)) == 1


async def test_a_crowd_at_any_door_is_one_query(counting: Counting, stopped: StoppedClock) -> None:
    """Promise: so are questions for a moment, for gaps, and those of the older and the sibling services' paths."""
    hot = build_history(counting, new_bus(), new_cache(), open_to_all(), Names(), stopped.clock).hot
    await counting.keep(heard([index_tick(T), index_tick(T + 1)]))
    line = price_line("btc_usd", Kind.INDEX)
    doors: tuple[Callable[[], Awaitable[object]], ...] = (
        lambda: hot.at("btc_usd", T),
        lambda: hot.gaps("btc_usd", T, None, limit=5),
        lambda: hot.believed("btc_usd", T, T + 2, line, prices_of, limit=5),
        lambda: hot.newest("btc_usd", line, prices_of, limit=5),
    )
    for ask in doors:
        counting.looks = 0
        answers = await asyncio.gather(*(ask() for _ in range(20)))
        assert (counting.looks, all(answer == answers[0] for answer in answers)) == (1, True)
    one, other = await asyncio.gather(*(hot.newest("btc_usd", line, prices_of, limit=limit) for limit in (1, 2)))
    assert (one.rows, other.rows) == (1, 2)


async def test_statistics_are_asked_anew_when_nobody_hears(counting: Counting, stopped: StoppedClock) -> None:
    """Promise: what was complete while the feed was heard is not told any more when it is found that nobody does."""
    bus, silent = new_bus(), set[str]()
    parts = build_history(
        counting, bus, new_cache(), open_to_all(), Names(), stopped.clock, is_silent=silent.__contains__
    )
    async with writing(bus, counting, stopped.clock):
        await publish(bus, live(T), index_tick(T))
    answers = []
    for _ in range(2):
        answers.append(json.loads((await parts.hot.stats("btc_usd", T, NOW_MS)).body)["complete"])
        silent.add("btc_usd")
    assert answers == [True, False]
