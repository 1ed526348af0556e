"""What was asked for is kept once, whoever asks and however often."""

import asyncio

from __tests__.history.world import index_tick
from cryptomarket.db import Database
from cryptomarket.history.collection_repository import CollectionRepository, Errand
from cryptomarket.history.repository import Repository
from cryptomarket.market.ticks import Source

TIME_MS = 1_790_165_100_000


async def test_one_errand_is_one_row(database: Database, repository: Repository) -> None:
    """Promise: of many that store for one ticker and time one does, with its mark, in one transaction."""
    kept = CollectionRepository(database)
    errand, tick = Errand("collect", "btc_usd", TIME_MS), index_tick(TIME_MS, "85500.000000001")
    told = await asyncio.gather(*(kept.keep(errand, [tick], Source.COLLECTED) for _ in range(6)))
    assert sorted(told) == [False] * 5 + [True]
    row = await repository.last_row("btc_usd")
    assert row is not None
    assert (row.source, row.position, str(row.price)) == ("collected", None, "85500.000000001")
    assert await kept.done("collect", TIME_MS) == {"btc_usd"}
    await kept.forget("collect", before_ms=TIME_MS + 1)
    assert await kept.done("collect", TIME_MS) == set()
