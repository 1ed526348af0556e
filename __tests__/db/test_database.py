import asyncio
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError, ProgrammingError

from __tests__.postgres_server import PostgresServer
from cryptomarket.db import Database, Waits
from cryptomarket.db.tables import store
from cryptomarket.errors import DatabaseUnavailable, StartRefused


def _store(exchange: str, created_ms: int = 1) -> dict[str, object]:
    return {"id": 1, "exchange": exchange, "created_ms": created_ms}


async def test_a_transaction_is_all_or_nothing(database: Database) -> None:
    """What raises inside the block leaves nothing behind, whatever was written before."""

    async def interrupted() -> None:
        async with database.begin() as connection:
            await database.upsert(connection, store, [_store("test")], keys=["id"])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await interrupted()
    async with database.read() as connection:
        assert (await connection.execute(select(store))).all() == []


async def test_an_upsert_leaves_or_updates_what_is_there(database: Database) -> None:
    """Without `update` the old row stays; with it, exactly those columns change."""
    async with database.begin() as connection:
        assert await database.upsert(connection, store, [_store("test")], keys=["id"]) == 1
        assert await database.upsert(connection, store, [_store("other", 2)], keys=["id"]) == 0
        assert (await connection.execute(select(store))).one() == (1, "test", 1)
        assert await database.upsert(connection, store, [_store("new", 3)], keys=["id"], update=["exchange"]) == 1
        assert (await connection.execute(select(store))).one() == (1, "new", 1)
        assert await database.upsert(connection, store, [], keys=["id"]) == 0


async def test_many_new_rows_leave_the_old_ones(database: Database) -> None:
    """The fast way in writes each key once."""
    columns = ["id", "exchange", "created_ms"]
    async with database.begin() as connection:
        await database.insert_new(connection, store, columns, [(1, "test", 1), (1, "other", 2)])
        await database.insert_new(connection, store, columns, [])
        assert (await connection.execute(select(store))).all() == [(1, "test", 1)]


async def test_writers_take_turns_and_readers_do_not_wait(sqlite: Database) -> None:
    """SQLite has one writer at a time, in order of arrival; a reader meanwhile sees what was committed before."""
    entered, leave = asyncio.Event(), asyncio.Event()
    order: list[str] = []

    async def first() -> None:
        async with sqlite.begin() as connection:
            await sqlite.upsert(connection, store, [_store("test")], keys=["id"])
            entered.set()
            await leave.wait()
            order.append("first")

    async def second() -> None:
        await entered.wait()
        async with sqlite.begin() as connection:
            order.append("second")
            await sqlite.upsert(connection, store, [_store("test", 9)], keys=["id"], update=["created_ms"])

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(first())
        group.create_task(second())
        await entered.wait()
        async with sqlite.read() as connection:
            assert (await connection.execute(select(store))).all() == []
        leave.set()
    assert order == ["first", "second"]
    async with sqlite.read() as connection:
        assert (await connection.execute(select(store.c.created_ms))).scalar_one() == 9


async def test_a_read_is_one_look(database: Database) -> None:
    """Everything in one read block is as of its first statement, whoever commits in between."""
    await database.claim("test")
    async with database.read() as look:
        assert (await look.execute(select(store.c.exchange))).scalar_one() == "test"
        async with database.begin() as connection:
            await connection.execute(update(store).values(exchange="other"))
        assert (await look.execute(select(store.c.exchange))).scalar_one() == "test"
    async with database.read() as look:
        assert (await look.execute(select(store.c.exchange))).scalar_one() == "other"


async def test_a_store_belongs_to_one_exchange(database: Database) -> None:
    """Simulated prices can never become real history: another exchange is refused with a sentence."""
    await database.claim("simulator")
    await database.claim("simulator")
    with pytest.raises(StartRefused, match="belongs to the exchange 'simulator' and cannot be used with 'production'"):
        await database.claim("production")
    async with database.read() as connection:
        assert (await connection.execute(select(store))).one() == (1, "simulator", 1_790_165_113_481)


async def test_an_answer_to_a_ping(database: Database) -> None:
    """A database that is there answers."""
    async with asyncio.timeout(10):
        await database.ping()


@pytest.mark.parametrize("url", ["postgresql://u:p@127.0.0.1:1/none", "postgresql+asyncpg://u:p@127.0.0.1:1/none"])
async def test_a_database_that_is_not_there_is_unavailable(url: str) -> None:
    """No driver's error leaves the door: the caller is told DatabaseUnavailable, without address or password."""
    database = Database(url)
    with pytest.raises(DatabaseUnavailable) as away:
        await database.ping()
    assert "127.0.0.1" not in away.value.detail
    with pytest.raises(DatabaseUnavailable):
        await database.claim("test")
    await database.close()


async def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    """A broken file is a database that can't be used, not a mistake of a statement."""
    path = tmp_path / "broken.sqlite3"
    path.write_bytes(b"this is no database" * 100)
    database = Database(f"sqlite:///{path}")
    with pytest.raises(DatabaseUnavailable):
        await database.ping()
    await database.close()


async def test_a_wrong_statement_is_our_own_mistake(database: Database) -> None:
    """Only trouble with the database is DatabaseUnavailable; mistakes keep their names."""
    with pytest.raises((OperationalError, ProgrammingError)):
        async with database.read() as connection:
            await connection.execute(text("SELECT * FROM nowhere"))
    with pytest.raises(IntegrityError):
        async with database.begin() as connection:
            await connection.execute(store.insert().values(id=2, exchange="x", created_ms=1))


async def test_a_busy_pool_is_unavailable_for_a_moment(store_url: str) -> None:
    """Connections are bounded: who waits too long for one is told so."""
    database = Database(store_url, pool_size=1, waits=Waits(connect_s=1.0))
    async with database.read() as connection:
        await connection.execute(text("SELECT 1"))
        with pytest.raises(DatabaseUnavailable, match="busy"):
            await database.ping()
    await database.close()


async def test_another_process_is_waited_for(sqlite: Database, tmp_path: Path) -> None:
    """A lock held by another process delays a writer and does not fail it."""
    other = sqlite3.connect(tmp_path / "store.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    async def write() -> None:
        async with sqlite.begin() as connection:
            await sqlite.upsert(connection, store, [_store("test")], keys=["id"])

    writing = asyncio.create_task(write())
    await sqlite.ping()
    assert not writing.done()
    other.execute("COMMIT")
    other.close()
    async with asyncio.timeout(10):
        await writing
    await sqlite.ping()


async def test_a_server_that_stands_still_is_not_waited_for_long(postgres: PostgresServer, postgres_url: str) -> None:
    """Neither a look at its health nor a question hangs on a server that accepts and says nothing."""
    database = Database(postgres_url, waits=Waits(answer_s=0.2, connect_s=1.0))
    await database.claim("test")
    postgres.pause()
    try:
        async with asyncio.timeout(20):
            with pytest.raises(DatabaseUnavailable):
                await database.ping()
            with pytest.raises(DatabaseUnavailable):
                await database.claim("test")
    finally:
        postgres.resume()
    await database.claim("test")
    await database.close()


async def test_what_a_copy_meets_keeps_its_name(postgresql: Database) -> None:
    """A value that the database can't keep is told as such, a table that is not there as our mistake."""
    columns = ["id", "exchange", "created_ms"]
    for row in ((1, "a\x00b", 1), (1, "test", 2**70)):
        with pytest.raises((DataError, OverflowError)):
            async with postgresql.begin() as connection:
                await postgresql.insert_new(connection, store, columns, [row])
    with pytest.raises(IntegrityError):
        async with postgresql.begin() as connection:
            await postgresql.insert_new(connection, store, columns, [(2, "test", 1)])
    with pytest.raises(DBAPIError):
        async with postgresql.begin() as connection:
            await postgresql.insert_new(connection, store, ["id", "nothing"], [(1, 1)])
    await postgresql.ping()
