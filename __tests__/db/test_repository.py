import asyncio

import pytest
from sqlalchemy import select
from sqlalchemy.exc import NoResultFound

from cryptomarket.db import Database
from cryptomarket.db.months import Month
from cryptomarket.db.repository import answer, owner, wait_for_other_migrations
from cryptomarket.errors import DatabaseUnavailable
from cryptomarket.history.tables import price_tickers


async def _partitions(database: Database) -> list[str]:
    async with database.read() as connection:
        found = await connection.exec_driver_sql(
            "SELECT inhrelid::regclass::text FROM pg_inherits "
            "WHERE inhparent = 'crypto.price_tickers'::regclass ORDER BY 1"
        )
        return [name.removeprefix("crypto.price_tickers_") for name in found.scalars()]


async def test_months_get_their_partitions_once(postgresql: Database) -> None:
    """Made by several at once, made again, and attached while a reader looks at the table and another one writes."""
    others = [Database(postgresql.url) for _ in range(4)]
    times = [Month(2026, 11).start_ms, Month(2026, 12).start_ms, Month(2027, 1).start_ms - 1, 5]
    async with postgresql.read() as look, postgresql.begin() as writing:
        await look.execute(select(price_tickers))
        await writing.execute(price_tickers.insert().values(**_row(7)))
        async with asyncio.timeout(10):
            await asyncio.gather(*(each.make_partitions(price_tickers, times) for each in others))
            await others[0].make_partitions(price_tickers, times)
    assert await _partitions(postgresql) == ["2026_11", "2026_12", "before_2016", "from_2100"]
    for each in others:
        await each.close()


def _row(timestamp_ms: int) -> dict[str, object]:
    named = {"ticker": "btc_usd", "source": "backfill", "kind": "index", "instrument_name": "btc_usd"}
    return {**named, "timestamp_ms": timestamp_ms, "received_us": 0}


async def test_a_partition_that_was_dropped_is_made_again(postgresql: Database) -> None:
    """A month that somebody drops costs one try, and no row."""
    row = _row(Month(2026, 11).start_ms)
    await postgresql.make_partitions(price_tickers, [Month(2026, 11).start_ms])
    async with postgresql.begin() as connection:
        await connection.exec_driver_sql("DROP TABLE crypto.price_tickers_2026_11")

    async def insert() -> None:
        await postgresql.make_partitions(price_tickers, [Month(2026, 11).start_ms])
        async with postgresql.begin() as connection:
            await postgresql.insert_new(connection, price_tickers, list(row), [tuple(row.values())])

    with pytest.raises(DatabaseUnavailable):
        await insert()
    await insert()
    assert "2026_11" in await _partitions(postgresql)


async def test_a_partition_has_every_index_of_its_table(postgresql: Database) -> None:
    """Unique per position, found by ticker and time, and by time alone with next to no space."""
    await postgresql.make_partitions(price_tickers, [Month(2026, 11).start_ms])
    async with postgresql.read() as connection:
        found = await connection.exec_driver_sql(
            "SELECT regexp_replace(indexdef, '.* USING ', '') FROM pg_indexes WHERE tablename = 'price_tickers_2026_11'"
        )
        assert sorted(found.scalars()) == [
            "brin (timestamp_ms) WITH (autosummarize='on')",
            "btree (id, timestamp_ms)",
            "btree (ticker, epoch, seq, timestamp_ms)",
            "btree (ticker, timestamp_ms)",
        ]


async def test_a_store_says_whose_it_is(database: Database) -> None:
    """A store without an owner has none; afterwards it is the first one's."""
    async with database.read() as connection:
        with pytest.raises(NoResultFound):
            await owner(connection)
    await database.claim("test")
    async with database.read() as connection:
        assert await owner(connection) == "test"


async def test_asking_changes_nothing(database: Database) -> None:
    """A ping, and waiting for other upgrades where there can be none, leave the connection as it was."""
    async with database.begin() as connection:
        await answer(connection)
        await connection.run_sync(wait_for_other_migrations)
        assert connection.in_transaction()
