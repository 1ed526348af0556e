"""What the log gave up before it was stored: a recorded gap for each ticker, and no answer that looks whole over it."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from __tests__.backplane.outage import LeavingBus, Outage
from __tests__.history.world import FENCE, NOW_MS, StoppedClock, index_tick, live, outgoing, publish, writing
from cryptomarket.backplane.bus import Outgoing
from cryptomarket.backplane.memory import MemoryBus
from cryptomarket.db import Database
from cryptomarket.errors import DatabaseUnavailable
from cryptomarket.history.cursors import Cursor
from cryptomarket.history.questions import History, TicksQuestion
from cryptomarket.history.repository import Heard, Repository, Unstorable
from cryptomarket.history.rows import Choice, StoredGap
from cryptomarket.history.writer import GROUP, Writer
from cryptomarket.market.ticks import Gap, GapCause, Tick
from cryptomarket.market.wire import PublicationKind

T = NOW_MS - 100_000
HARD = 8
EVERYTHING, BELIEVED = Cursor.at_start("btc_usd", 0, 2**62), Choice(believed_only=True)


class AwayRepository(Repository):
    """A repository whose database is away whenever it is told to be."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.back = asyncio.Event()
        self.back.set()
        self.asked = asyncio.Event()

    async def keep(self, heard: Sequence[Heard]) -> None:
        self.asked.set()
        if not self.back.is_set():
            raise DatabaseUnavailable("away")
        await super().keep(heard)

    async def keep_unpublished(self, found: Sequence[Gap]) -> None:
        if not self.back.is_set():
            raise DatabaseUnavailable("away")
        await super().keep_unpublished(found)


def small_bus() -> MemoryBus:
    return MemoryBus("e1", is_newest=lambda _name, _token: True, log_capacity=4, log_hard_capacity=HARD)


async def ask(history: History, ticker: str, start_ms: int, end_ms: int) -> dict[str, Any]:
    answer = await history.ticks(TicksQuestion(ticker=ticker, start_ms=start_ms, end_ms=end_ms))
    told: dict[str, Any] = json.loads(answer.body)
    return told


async def gaps_of(repository: Repository, ticker: str) -> list[StoredGap]:
    return await repository.gaps(ticker, 0, 2**62, limit=100)


async def test_hours_without_a_database_are_a_gap_and_no_lie(database: Database, stopped: StoppedClock) -> None:
    """Promise: what the log gave up while the database was away is recorded, from the last stored tick to the first
    new one, once for each ticker; `complete` is false over it, before and after it is written down, and true beside it.
    """
    bus, repository = small_bus(), AwayRepository(database)
    history = History(repository, bus, clock=stopped.clock)
    async with writing(bus, repository, stopped.clock, flush_ms=1) as writer:
        await publish(bus, index_tick(T), live(T), index_tick(T + 10), index_tick(T + 20))
        async with asyncio.timeout(10):
            await writer.flush()
        assert (await ask(history, "btc_usd", T, T + 20))["complete"] is True
        repository.back.clear()
        repository.asked.clear()
        await publish(bus, index_tick(T + 30))
        async with asyncio.timeout(10):
            await repository.asked.wait()
        await publish(bus, *(index_tick(T + ms) for ms in (40, 50, 60)), index_tick(T + 45, ticker="eth_usd"))
        await publish(bus, *(index_tick(T + ms) for ms in range(1000, 1000 + 10 * HARD, 10)))
        assert {loss.ticker for loss in await bus.losses(GROUP)} == {"btc_usd", "eth_usd"}
        assert (await ask(history, "btc_usd", T, T + 20))["complete"] is False
        repository.back.set()
        async with asyncio.timeout(10):
            await writer.flush()
        [gap] = await gaps_of(repository, "btc_usd")
        assert (gap.from_ms, gap.to_ms, gap.cause, gap.state, gap.seq) == (T + 30, T + 1000, "writer", "recorded", None)
        [other] = await gaps_of(repository, "eth_usd")
        assert (other.from_ms, other.to_ms, other.cause) == (T + 45, T + 46, "writer")
        assert await bus.losses(GROUP) == []
    answer = await ask(history, "btc_usd", T, T + 1010)
    assert answer["complete"] is False
    assert [(told["from_ms"], told["cause"]) for told in answer["gaps"]] == [(T + 30, "writer")]
    assert [row["timestamp"] - T for row in answer["data"]] == [0, 10, 20, 30, 1000]
    assert (await ask(history, "btc_usd", T, T + 30))["complete"] is True
    assert (await ask(history, "btc_usd", T + 1000, T + 1050))["complete"] is True


async def test_a_writer_that_dies_after_writing_a_loss_down_does_not_double_it(
    database: Database, stopped: StoppedClock
) -> None:
    """Promise: a loss that is told again is the same gap."""
    repository = Repository(database)
    await repository.keep_unpublished([Gap("btc_usd", T, T + 5, GapCause.WRITER)])
    await repository.keep_unpublished(
        [Gap("btc_usd", T, T + 5, GapCause.WRITER), Gap("btc_usd", T, T + 6, GapCause.WRITER)]
    )
    assert [(gap.from_ms, gap.to_ms) for gap in await gaps_of(repository, "btc_usd")] == [(T, T + 5), (T, T + 6)]


async def test_a_batch_outlives_its_epoch_and_says_nothing_in_the_next(
    database: Database, stopped: StoppedClock
) -> None:
    """Promise: what was taken is stored though the bus went away and came back with nothing, and its acknowledgement
    covers no publication of the new order.
    """
    outage, repository = Outage(), AwayRepository(database)
    bus = LeavingBus(outage, epoch="e1")
    writer = Writer(bus, repository, consumer="here", clock=stopped.clock, flush_ms=1)
    running = asyncio.create_task(writer.run())
    try:
        repository.back.clear()
        await bus.publish([outgoing(index_tick(T + ms)) for ms in range(3)], FENCE)
        async with asyncio.timeout(10):
            await repository.asked.wait()
        outage.begin()
        repository.back.set()
        bus.begin_epoch()
        await bus.inner.publish([outgoing(index_tick(T + 10 + ms)) for ms in range(5)], FENCE)
        outage.end()
        async with asyncio.timeout(10):
            await writer.flush()
        assert await bus.acknowledged(GROUP) == 5
        page = await repository.page(EVERYTHING, BELIEVED, limit=100, begun=False)
        assert [row.timestamp_ms - T for row in page.rows] == [0, 1, 2, 10, 11, 12, 13, 14]
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_what_the_writer_gives_up_itself_is_a_gap_too(database: Database, stopped: StoppedClock) -> None:
    """Promise: what can't be decoded, or the database will not take, leaves no hole that looks whole."""
    bus, repository = MemoryBus("e1", is_newest=lambda _name, _token: True), PickyRepository(database)
    async with writing(bus, repository, stopped.clock, flush_ms=1):
        await publish(bus, index_tick(T), index_tick(T + 10), index_tick(T + 20))
        await bus.publish([Outgoing(PublicationKind.TICK, "eth_usd", b"{")], FENCE)
        huge = b'{"timestamp":%d}' % 2**70
        await bus.publish([Outgoing(PublicationKind.TICK, "btc_usd", huge)], FENCE)
        await publish(bus, index_tick(T + 40))
    gaps = [(gap.from_ms - T, gap.to_ms - T, gap.cause) for gap in await gaps_of(repository, "btc_usd")]
    assert gaps == [(0, 20, "writer"), (20, 40, "writer")]
    assert await gaps_of(repository, "eth_usd") == []


class PickyRepository(Repository):
    """A repository whose database does not take one tick."""

    async def keep(self, heard: Sequence[Heard]) -> None:
        if any(isinstance(word, Tick) and word.timestamp_ms == T + 10 for _, word in heard):
            raise Unstorable("not this one")
        await super().keep(heard)


async def test_a_writer_that_cannot_keep_up_tells_every_loss(database: Database, stopped: StoppedClock) -> None:
    """Promise: however often the log overflows, each tick that was published is either a row or inside of a gap."""
    bus, repository = small_bus(), Repository(database)
    at_ms = T
    async with writing(bus, repository, stopped.clock, flush_ms=1, flush_rows=3) as writer:
        await publish(bus, index_tick(T))
        async with asyncio.timeout(10):
            await writer.flush()
        for burst in range(12):
            batch = [outgoing(index_tick(at_ms := at_ms + 10)) for _ in range(burst)]
            await bus.publish(batch, FENCE)
            # sleep: a turn for the writer, which may or may not come along
            await asyncio.sleep(0)
        async with asyncio.timeout(10):
            await writer.flush()
    gaps = await gaps_of(repository, "btc_usd")
    page = await repository.page(EVERYTHING, BELIEVED, limit=1000, begun=False)
    stored = {row.timestamp_ms for row in page.rows}
    published = set(range(T + 10, at_ms + 1, 10))
    lost = published - stored
    assert lost
    assert all(any(gap.from_ms <= ms < gap.to_ms for gap in gaps) for ms in lost)
    assert await bus.losses(GROUP) == []
