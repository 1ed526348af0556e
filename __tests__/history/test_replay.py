"""Replays out of the database: provably whole, or refused."""

import asyncio

import pytest

from __tests__.history.test_losses import AwayRepository, PickyRepository, T
from __tests__.history.world import StoppedClock, index_tick, new_bus, outgoing, publish, writing
from cryptomarket.backplane.bus import Fence
from cryptomarket.backplane.memory import MemoryBus
from cryptomarket.db import Database, Month
from cryptomarket.errors import LogTooShort
from cryptomarket.history.replay import Replay
from cryptomarket.history.replay_repository import ReplayRepository
from cryptomarket.history.repository import Heard, Repository
from cryptomarket.history.retention_repository import RetentionRepository
from cryptomarket.history.upkeep import DAY_MS, remove_old_ticks
from cryptomarket.history.writer import GROUP, read
from cryptomarket.market.position import Position
from cryptomarket.market.ticks import GapCause

TICKERS = ("btc_usd",)


@pytest.fixture
async def bus(repository: Repository) -> MemoryBus:
    """Ten published ticks, of which the first eight are stored and acknowledged."""
    bus = new_bus()
    await bus.publish([outgoing(index_tick(at)) for at in range(1, 11)], Fence("slot:0", 1))
    taken = await bus.consume(GROUP, "me", limit=8, wait_s=0)
    await repository.keep([Heard(each, word) for each in taken if (word := read(each)) is not None])
    await bus.acknowledge(GROUP, taken)
    return bus


@pytest.fixture
def replay(database: Database, bus: MemoryBus) -> Replay:
    return Replay(ReplayRepository(database), bus)


def at(seq: int, epoch: str = "e1") -> Position:
    return Position(epoch, seq)


async def test_it_reaches_as_far_as_is_acknowledged(replay: Replay) -> None:
    """What lies beyond is on its way to the database, and for the log to tell."""
    told = await replay.after(at(2), 10, TICKERS, limit=100)
    assert [each.seq for each in told.publications] == [3, 4, 5, 6, 7, 8]
    assert (told.until_seq, told.stored_seq) == (8, 8)


async def test_a_page_ends_with_its_last(replay: Replay) -> None:
    """The next page goes on there; a ticker that said nothing is told so up to the end."""
    told = await replay.after(at(2), 10, TICKERS, limit=2)
    assert ([each.seq for each in told.publications], told.until_seq, told.stored_seq) == ([3, 4], 4, 8)
    quiet = await replay.after(at(2), 10, ("eth_usd",), limit=2)
    assert (quiet.publications, quiet.until_seq) == ([], 8)
    near = await replay.after(at(2), 5, TICKERS, limit=9)
    assert (near.until_seq, near.stored_seq) == (5, 5)


@pytest.mark.parametrize("after", [at(8), at(9), at(2, "e0")])
async def test_where_nothing_is_proven_it_refuses(replay: Replay, after: Position) -> None:
    """Nothing after the position is stored yet, or the position is of another epoch."""
    with pytest.raises(LogTooShort):
        await replay.after(after, 10, TICKERS, limit=9)


async def test_a_removal_refuses_too(database: Database, repository: Repository, stopped: StoppedClock) -> None:
    """Promise: once retention has run over what came after a position, nobody passes over it; above it all is well."""
    bus = new_bus()
    now_ms = Month(2026, 11).start_ms + 10 * DAY_MS
    old = [index_tick(Month(2026, 8).start_ms + each) for each in range(4)]
    young = [index_tick(now_ms - each) for each in range(6, 0, -1)]
    async with writing(bus, repository, stopped.clock) as writer:
        await publish(bus, *old, *young)
        await writer.flush()
        replay = Replay(ReplayRepository(database), bus)
        assert (await replay.after(at(2), 10, TICKERS, limit=9)).until_seq == 10
        told = await remove_old_ticks(RetentionRepository(database), now_ms=now_ms, days=30, dry_run=False)
        assert told["rows"] == 4
        for before in (1, 2, 3):
            with pytest.raises(LogTooShort):
                await replay.after(at(before), 10, TICKERS, limit=9)
        assert [each.seq for each in (await replay.after(at(4), 10, TICKERS, limit=9)).publications] == [*range(5, 11)]


async def test_what_the_log_gave_up_refuses_too(database: Database, stopped: StoppedClock) -> None:
    """Promise: once the log has given something up before it was stored, nothing of this epoch is told out of the
    database any more, neither before the writer has written the loss down nor afterwards.
    """
    bus = MemoryBus("e1", is_newest=lambda _name, _token: True, log_capacity=4, log_hard_capacity=8)
    repository = AwayRepository(database)
    replay = Replay(ReplayRepository(database), bus)
    async with writing(bus, repository, stopped.clock, flush_rows=2, flush_ms=1) as writer:
        await publish(bus, *[index_tick(each) for each in range(1, 5)])
        await writer.flush()
        assert (await replay.after(at(1), 4, TICKERS, limit=9)).until_seq == 4
        repository.back.clear()
        repository.asked.clear()
        await publish(bus, *[index_tick(each) for each in range(5, 7)])
        async with asyncio.timeout(10):
            await repository.asked.wait()
        await publish(bus, *[index_tick(each) for each in range(7, 31)])
        assert await bus.given_up(GROUP) > 0
        with pytest.raises(LogTooShort):
            await replay.after(at(1), 30, TICKERS, limit=9)
        repository.back.set()
        async with asyncio.timeout(10):
            await writer.flush()
    assert await bus.acknowledged(GROUP) == 30
    [lost] = await repository.gaps("btc_usd", 0, 100, limit=9)
    assert lost.cause == GapCause.WRITER
    for before in (1, 6, 26):
        with pytest.raises(LogTooShort):
            await replay.after(at(before), 30, TICKERS, limit=9)


async def test_what_the_writer_could_not_store_refuses_too(database: Database, stopped: StoppedClock) -> None:
    """Promise: a `writer` gap between is passed over by nobody; what came after it, and another ticker, are told."""
    bus, repository = new_bus(), PickyRepository(database)
    async with writing(bus, repository, stopped.clock, flush_ms=1) as writer:
        await publish(bus, index_tick(T), index_tick(T, ticker="eth_usd"), index_tick(T + 5), index_tick(T + 10))
        await writer.flush()
        await publish(bus, *[index_tick(T + each) for each in range(20, 26)])
        await writer.flush()
    assert await bus.given_up(GROUP) == 0
    [lost] = await repository.gaps("btc_usd", 0, 2**62, limit=9)
    assert (lost.cause, lost.seq) == (GapCause.WRITER, None)
    replay = Replay(ReplayRepository(database), bus)
    for before in (1, 3):
        with pytest.raises(LogTooShort):
            await replay.after(at(before), 10, TICKERS, limit=9)
    assert [each.seq for each in (await replay.after(at(6), 10, TICKERS, limit=9)).publications] == [7, 8, 9, 10]
    assert [each.seq for each in (await replay.after(at(1), 10, ("eth_usd",), limit=9)).publications] == [2]
