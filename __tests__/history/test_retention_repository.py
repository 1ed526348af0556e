"""Months that go, and what is remembered of them."""

import asyncio

import pytest
from sqlalchemy import select

from __tests__.history.world import index_tick
from cryptomarket.db import Database, Month
from cryptomarket.errors import DatabaseUnavailable
from cryptomarket.history import retention_repository
from cryptomarket.history.collection_repository import CollectionRepository, Errand
from cryptomarket.history.retention_repository import RetentionRepository
from cryptomarket.history.tables import price_tickers, removals
from cryptomarket.market.ticks import Source

OCTOBER, NOVEMBER = Month(2026, 10), Month(2026, 11)


async def test_a_month_goes_with_all_that_is_in_it(postgres_url: str) -> None:
    """Promise: the place is dropped, not its rows one by one, and up to where something is gone is remembered."""
    database = Database(postgres_url)
    kept = CollectionRepository(database)
    for at, month in enumerate((OCTOBER, NOVEMBER)):
        ticks = [index_tick(month.start_ms + second) for second in range(5)]
        await kept.keep(Errand("job", "btc_usd", at), ticks, Source.COLLECTED)
    streamed = {
        "ticker": "btc_usd", "epoch": "e", "seq": 7, "source": "stream", "kind": "index", "instrument_name": "btc_usd",
        "timestamp_ms": OCTOBER.start_ms, "received_us": 1,
    }  # fmt: skip
    async with database.begin() as connection:
        await connection.execute(price_tickers.insert().values(streamed))
    repository = RetentionRepository(database)
    assert repository.has_months
    assert await repository.months() == [OCTOBER, NOVEMBER]
    assert await repository.count_before(NOVEMBER.start_ms) == 6
    assert await repository.drop(OCTOBER) == 6
    assert await repository.months() == [NOVEMBER]
    assert await repository.oldest_ms() == NOVEMBER.start_ms
    async with database.read() as connection:
        assert (await connection.execute(select(removals.c.epoch, removals.c.seq))).all() == [("e", 7)]
    await database.close()


async def test_a_long_reader_keeps_a_month_and_hangs_nobody(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: a month that somebody reads stays, and whoever wants it gone is told to come back; then it goes."""
    monkeypatch.setattr(retention_repository, "LOCK_S", 0.2)
    database = Database(postgres_url)
    kept = CollectionRepository(database)
    await kept.keep(Errand("job", "btc_usd", 1), [index_tick(OCTOBER.start_ms)], Source.COLLECTED)
    repository = RetentionRepository(database)
    async with database.read() as reader:
        await reader.execute(select(price_tickers.c.id))
        with pytest.raises(DatabaseUnavailable, match="Others hold"):
            async with asyncio.timeout(10):
                await repository.drop(OCTOBER)
        assert await repository.months() == [OCTOBER]
    assert await repository.drop(OCTOBER) == 1
    assert await repository.months() == []
    await database.close()
