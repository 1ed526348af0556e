"""Many rows in one way to a thread and back: all or none, in order, with trouble under its usual name."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import exc, func, select

from cryptomarket.db import Database, Waits, migrate
from cryptomarket.db.tables import store
from cryptomarket.errors import DatabaseUnavailable
from cryptomarket.history.tables import gaps

GAP = ("ticker", "from_ms", "to_ms", "cause", "state")
STORE = ("id", "exchange", "created_ms")


async def gaps_in(database: Database) -> int:
    async with database.read() as connection:
        return (await connection.execute(select(func.count()).select_from(gaps))).scalar_one()


def gaps_of(count: int) -> list[tuple[object, ...]]:
    return [("btc_usd", at, at + 1, "bus", "recorded") for at in range(count)]


@pytest.mark.parametrize("count", [0, 1, 437, 1763])
async def test_all_of_it_is_stored(database: Database, count: int) -> None:
    """Promise: rows of several tables by one call, however many, on both databases; those that are there are left."""
    await database.store([(store, STORE, [(1, "simulator", 1)]), (gaps, GAP, gaps_of(count))])
    await database.store([(store, STORE, [(1, "another", 2)]), (gaps, GAP, [])])
    assert await gaps_in(database) == count
    async with database.read() as connection:
        assert (await connection.execute(select(store.c.exchange))).scalars().all() == ["simulator"]


async def test_or_nothing_of_it(database: Database) -> None:
    """Promise: what the database refuses takes everything with it that was handed in beside it, and no more."""
    with pytest.raises(exc.IntegrityError):
        await database.store([(gaps, GAP, gaps_of(3)), (gaps, GAP, [("x", None, 1, "bus", "recorded")])])
    assert await gaps_in(database) == 0
    await database.store([(gaps, GAP, gaps_of(3))])
    assert await gaps_in(database) == 3


async def test_who_leaves_knows_that_it_is_decided(sqlite: Database) -> None:
    """Promise: a call that is cancelled, however often, has stored all or nothing when it ends: nothing of it comes
    later, and the next one is served.
    """
    leaving = asyncio.create_task(sqlite.store([(gaps, GAP, gaps_of(20_000))]))
    for _ in range(3):
        await asyncio.sleep(0)  # sleep: one turn, so that it is under way
        leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    before = await gaps_in(sqlite)
    assert before in (0, 20_000)
    await sqlite.store([(gaps, GAP, gaps_of(1))])
    assert await gaps_in(sqlite) == before + 1


async def test_writers_of_both_kinds_take_turns(sqlite: Database) -> None:
    """Promise: transactions of the asynchronous driver and of the thread wait for each other, and none is lost."""

    async def by_hand(number: int) -> None:
        async with sqlite.begin() as connection:
            await sqlite.insert_new(connection, gaps, GAP, [("eth_usd", number, number + 1, "bus", "recorded")])
            await asyncio.sleep(0)  # sleep: one turn within a transaction

    stores = [sqlite.store([(gaps, GAP, gaps_of(7))]) for _ in range(20)]
    async with asyncio.timeout(30):
        await asyncio.gather(*stores, *(by_hand(number) for number in range(20)))
    assert await gaps_in(sqlite) == 20 * 7 + 20


async def test_a_missing_file_is_away(tmp_path: Path) -> None:
    """Promise: trouble has the same name as from any writer; and who stores makes no file."""
    path = tmp_path / "a store of 100 %? #1.sqlite3"
    url = Database(f"sqlite:///{tmp_path / 'x'}").url.set(database=str(path))
    await migrate(url)
    database = Database(url, pool_size=1)
    await database.store([(gaps, GAP, gaps_of(2))])
    assert await gaps_in(database) == 2
    await database.close()
    path.rename(tmp_path / "elsewhere")
    database = Database(url, pool_size=1)
    with pytest.raises(DatabaseUnavailable):
        await database.store([(gaps, GAP, gaps_of(2))])
    assert not path.exists()
    await database.close()


async def test_who_finds_it_locked_waits_his_time(sqlite_url: str) -> None:
    """Promise: another program's transaction is waited for as long as the settings say, and then it is away."""
    database = Database(sqlite_url, waits=Waits(busy_s=0.2))
    with closing(sqlite3.connect(database.url.database or "", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseUnavailable):
            await database.store([(gaps, GAP, gaps_of(2))])
        other.execute("ROLLBACK")
    await database.store([(gaps, GAP, gaps_of(2))])
    assert await gaps_in(database) == 2
    await database.close()
