"""What was published comes back as it was, in its order, and only where it is all there."""

import pytest

from __tests__.history.world import heard, index_tick, live, perpetual_tick
from cryptomarket.db import Database
from cryptomarket.history.replay_repository import ReplayRepository
from cryptomarket.history.repository import Heard, Repository
from cryptomarket.market.position import Position
from cryptomarket.market.ticks import Gap, GapCause
from cryptomarket.market.wire import Publication, data_of, decode_gap, decode_status, decode_tick

BOTH = ("btc_usd", "BTC-PERPETUAL")


@pytest.fixture
def replays(database: Database) -> ReplayRepository:
    return ReplayRepository(database)


def said() -> list[Heard]:
    """Six publications of three kinds about two tickers, and one about a third."""
    gap = Gap("btc_usd", 100, 200, GapCause.DISCONNECT)
    return heard(
        [index_tick(100), gap, live(200), index_tick(200), perpetual_tick(150), index_tick(1, ticker="eth_usd"),
         index_tick(300, "8.55e4")]
    )  # fmt: skip


def seqs(found: list[Publication] | None) -> list[int] | None:
    return None if found is None else [publication.seq for publication in found]


async def test_what_was_stored_is_told_as_it_was_published(repository: Repository, replays: ReplayRepository) -> None:
    """Ticks, statuses and gaps with their places and predecessors; the same values, to the digit."""
    kept = said()
    await repository.keep(kept)
    found = await replays.between(Position("e1", 0), 7, BOTH, limit=100)
    assert found is not None
    expected = [each.publication for each in kept if each.publication.ticker in BOTH]
    assert [(each.position, each.kind, each.ticker, each.prev_seq) for each in found] == [
        (each.position, each.kind, each.ticker, each.prev_seq) for each in expected
    ]
    decoders = {"tick": decode_tick, "status": decode_status, "gap": decode_gap}
    for ours, theirs in zip(found, expected, strict=True):
        decode = decoders[ours.kind.value]
        assert decode(ours.payload) == decode(theirs.payload)
        assert data_of(ours).startswith(b'{"seq":%d,' % theirs.seq)


async def test_pages_follow_each_other(repository: Repository, replays: ReplayRepository) -> None:
    """After a position, up to a sequence, so many at a time: no hole and no double between two pages."""
    await repository.keep(said())
    assert seqs(await replays.between(Position("e1", 0), 7, BOTH, limit=2)) == [1, 2]
    assert seqs(await replays.between(Position("e1", 2), 7, BOTH, limit=2)) == [3, 4]
    assert seqs(await replays.between(Position("e1", 4), 5, BOTH, limit=2)) == [5]
    assert seqs(await replays.between(Position("e1", 7), 9, BOTH, limit=2)) == []
    assert seqs(await replays.between(Position("e1", 0), 7, (), limit=2)) == []
    assert seqs(await replays.between(Position("e2", 0), 7, BOTH, limit=2)) == []


async def test_a_loss_after_the_position_is_no_replay(repository: Repository, replays: ReplayRepository) -> None:
    """What the writer lost can't be told; a loss before the position, or of another ticker, changes nothing."""
    await repository.keep(said())
    await repository.keep_unpublished([Gap("btc_usd", 200, 250, GapCause.WRITER)])
    assert await replays.between(Position("e1", 1), 7, BOTH, limit=9) is None
    assert await replays.between(Position("e1", 6), 7, BOTH, limit=9) is None
    assert seqs(await replays.between(Position("e1", 7), 9, BOTH, limit=9)) == []
    assert seqs(await replays.between(Position("e1", 1), 7, ("BTC-PERPETUAL",), limit=9)) == [5]


async def test_a_gap_of_the_exchange_is_no_loss_of_ours(repository: Repository, replays: ReplayRepository) -> None:
    """It was published, and is told again like everything else; so is history complete around it."""
    await repository.keep(said())
    await repository.keep_unpublished([Gap("btc_usd", 200, 250, GapCause.RESTART)])
    assert seqs(await replays.between(Position("e1", 1), 7, BOTH, limit=9)) == [2, 3, 4, 5, 7]


async def test_what_was_removed_is_no_replay(repository: Repository, replays: ReplayRepository) -> None:
    """A position below what was removed is passed over by nobody; one above it is as good as before."""
    await repository.keep(said())
    assert await replays.remove_before(150) == 2
    assert await replays.between(Position("e1", 0), 7, BOTH, limit=9) is None
    assert await replays.between(Position("e1", 5), 7, BOTH, limit=9) is None
    assert seqs(await replays.between(Position("e1", 6), 7, BOTH, limit=9)) == [7]


async def test_removing_again_forgets_nothing(repository: Repository, replays: ReplayRepository) -> None:
    """A later run that removes less does not take back what an earlier one has said."""
    await repository.keep(said())
    await replays.remove_before(1000)
    await repository.keep(heard([index_tick(50)], first_seq=3))
    assert await replays.remove_before(1000) == 1
    assert await replays.between(Position("e1", 5), 7, BOTH, limit=9) is None
    assert await replays.remove_before(1000) == 0
