"""Replays out of the database: provably whole, or refused."""

import pytest

from __tests__.history.world import index_tick, new_bus, outgoing
from cryptomarket.backplane.bus import Fence
from cryptomarket.backplane.memory import MemoryBus
from cryptomarket.db import Database
from cryptomarket.errors import LogTooShort
from cryptomarket.history.replay import Replay
from cryptomarket.history.replay_repository import ReplayRepository
from cryptomarket.history.repository import Heard, Repository
from cryptomarket.history.writer import GROUP, read
from cryptomarket.market.position import Position

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


async def test_a_removal_or_a_loss_refuses_too(replay: Replay, database: Database) -> None:
    """Never a silent hole."""
    await ReplayRepository(database).remove_before(5)
    with pytest.raises(LogTooShort):
        await replay.after(at(2), 10, TICKERS, limit=9)
    assert (await replay.after(at(4), 10, TICKERS, limit=9)).until_seq == 8
