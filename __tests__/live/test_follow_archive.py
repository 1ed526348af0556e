"""Resuming past the log's reach: out of what is stored, as far as that is provably whole, and then on in the log."""

from collections.abc import Collection
from dataclasses import dataclass, field

import pytest

from __tests__.live.world import EPOCH, START_MS, House, house, tick
from cryptomarket.errors import DatabaseUnavailable, LogTooShort
from cryptomarket.history.replay import Told
from cryptomarket.live.follow import Resume
from cryptomarket.market.position import Position
from cryptomarket.market.wire import Publication

pytestmark = pytest.mark.usefixtures("way")

LOG = 5
PUBLISHED = 20


@dataclass
class Shelf:
    """What a writer has stored up to `stored_seq`, or the trouble that there is with it. `asked` counts questions."""

    stored_seq: int = PUBLISHED
    trouble: Exception | None = None
    publications: list[Publication] = field(default_factory=list)
    asked: int = 0

    async def after(self, after: Position, until_seq: int, tickers: Collection[str], *, limit: int) -> Told:
        """As `Replay` answers."""
        self.asked += 1
        if self.trouble is not None:
            raise self.trouble
        reach = min(self.stored_seq, until_seq)
        wanted = [
            told for told in self.publications if after.seq < told.position.seq <= reach and told.ticker in tickers
        ]
        found = wanted[:limit]
        return Told(found, found[-1].position.seq if len(found) == limit else reach, reach)


async def twenty(built: House, shelf: Shelf) -> None:
    """Ticks of two tickers in turn, all of which the writer could have stored."""
    for at in range(PUBLISHED):
        shelf.publications += await built.publish(tick(("btc_usd", "eth_usd")[at % 2], START_MS + at))


async def test_what_the_log_gave_up_is_told_out_of_the_database() -> None:
    """Promise: exactly what is missing, then the log, then live; and nothing is asked of the database while the log
    reaches back.
    """
    shelf = Shelf()
    async with house(log_capacity=LOG, archive=shelf) as built:
        await twenty(built, shelf)
        near = await built.opened(["btc_usd"], Position(EPOCH, PUBLISHED - LOG))
        await near.until_seq(PUBLISHED - 1)
        assert shelf.asked == 0
        reader = await built.opened(["btc_usd"], Position(EPOCH, 2))
        await built.publish(tick("btc_usd", START_MS + PUBLISHED))
        await reader.until_seq(PUBLISHED + 1)
        assert reader.opening.resume is Resume.COMPLETE
        assert reader.seqs == list(range(3, PUBLISHED + 2, 2))
        assert reader.named("snapshot") == []
        assert shelf.asked > 1


@pytest.mark.parametrize("stored_seq", [PUBLISHED - LOG - 1, 3])
async def test_a_writer_that_is_held_back_is_a_reset(stored_seq: int) -> None:
    """Promise: where what is stored ends before the log begins, nobody guesses at what lies between."""
    shelf = Shelf(stored_seq)
    async with house(log_capacity=LOG, archive=shelf) as built:
        await twenty(built, shelf)
        reader = await built.opened(["btc_usd"], Position(EPOCH, 2))
        await reader.until_named("snapshot")
        assert reader.opening.resume is Resume.RESET
        shelf.stored_seq = PUBLISHED - LOG
        assert (await built.opened(["btc_usd"], Position(EPOCH, 2))).opening.resume is Resume.COMPLETE


@pytest.mark.parametrize("trouble", [LogTooShort("019bd0f9a1b2c3-2"), DatabaseUnavailable("It is away.")])
async def test_what_cannot_be_proven_is_a_reset(trouble: Exception) -> None:
    """Promise: a loss, a removal, or a database that is away: snapshots, and never an error or silence."""
    shelf = Shelf(trouble=trouble)
    async with house(log_capacity=LOG, archive=shelf) as built:
        await twenty(built, shelf)
        reader = await built.opened(["btc_usd"], Position(EPOCH, 2))
        await reader.until_named("snapshot")
        assert reader.opening.resume is Resume.RESET
        assert shelf.asked == 1
