"""Looks from threads: they see one state, change nothing, and are broken off with who asked."""

import asyncio
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, literal, select, text

from cryptomarket.db import Database, Prepared
from cryptomarket.errors import DatabaseUnavailable
from cryptomarket.history.tables import removals

FOR_EVER = text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i % 7 + 1 FROM n) SELECT count(*) FROM n")


async def test_a_look_sees_one_state_and_changes_nothing(store_url: str) -> None:
    """Promise: whatever others write meanwhile, on both databases; and a look that writes is refused."""
    database = Database(store_url)
    begun, written = threading.Event(), threading.Event()
    count = text("SELECT count(*) FROM crypto_store" if database.is_sqlite else "SELECT count(*) FROM crypto.store")

    def twice(connection: Connection) -> tuple[int, int]:
        first = connection.execute(count).scalar_one()
        begun.set()
        if database.is_sqlite:
            assert written.wait(10)
        return first, connection.execute(count).scalar_one()

    looking = asyncio.create_task(database.look(twice))
    if database.is_sqlite:
        assert await asyncio.to_thread(begun.wait, 10)
        await database.claim("simulator")
        written.set()
    assert await looking == (0, 0)
    everything = text(str(count).replace("SELECT count(*)", "DELETE"))
    with pytest.raises(DatabaseUnavailable):
        await database.look(lambda connection: connection.execute(everything))
    await database.close()


def for_ever() -> Prepared:
    """The same, as it is put to the driver."""
    number = select(literal(1).label("i")).cte("n", recursive=True)
    numbers = number.union_all(select(number.c.i % 7 + 1))
    return Prepared(select(func.count()).select_from(numbers))


@pytest.mark.parametrize("is_prepared", [False, True])
async def test_who_leaves_breaks_off_his_question(store_url: str, *, is_prepared: bool) -> None:
    """Promise: a question without an end is given up at once, and its connection serves the next one, whether the
    library asked or we did.
    """
    database, prepared = Database(store_url, pool_size=1), for_ever()

    def ask(connection: Connection) -> object:
        return prepared.one(connection, {}) if is_prepared else connection.execute(FOR_EVER).one()

    for _ in range(3):
        looking = asyncio.create_task(database.look(ask))
        await asyncio.sleep(0.05)  # sleep: the question shall be under way; earlier or later must not matter
        looking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await looking
        async with asyncio.timeout(10):
            assert await database.look(lambda connection: connection.execute(text("SELECT 1")).scalar_one()) == 1
    await database.close()


async def test_whoever_leaves_leaves_no_old_state_behind(store_url: str) -> None:
    """Promise: in whichever turn of the loop somebody goes, be it while the look begins, the next one on his connection
    sees what was written since.
    """
    database, other = Database(store_url, pool_size=1), Database(store_url, pool_size=1)
    table = "crypto_removals" if database.is_sqlite else "crypto.removals"
    rows = Prepared(select(func.count()).select_from(removals))
    for turns in range(40):
        looking = asyncio.create_task(database.look(lambda connection: rows.one(connection, {})))
        for _ in range(turns):
            await asyncio.sleep(0)  # sleep: a turn of the loop
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking
        async with other.begin() as connection:
            await connection.execute(text(f"INSERT INTO {table} (epoch, seq) VALUES ('e{turns}', 1)"))
        async with asyncio.timeout(10):
            assert await database.look(lambda connection: rows.one(connection, {})) == (turns + 1,)
    await database.close()
    await other.close()


async def test_a_file_that_is_no_database_is_away(tmp_path: Path) -> None:
    """Promise: trouble has the same name from a thread, and a reader makes no file."""
    database = Database(f"sqlite:///{tmp_path / 'none' / 'store.sqlite3'}")
    with pytest.raises(DatabaseUnavailable):
        await database.look(lambda connection: connection.execute(text("SELECT 1")).scalar_one())
    await database.close()
    missing = tmp_path / "missing.sqlite3"
    database = Database(f"sqlite:///{missing}")
    with pytest.raises(DatabaseUnavailable):
        await database.look(lambda connection: connection.execute(text("SELECT 1")).scalar_one())
    assert not missing.exists()
    await database.close()
    broken = tmp_path / "broken.sqlite3"
    broken.write_bytes(b"no database at all, but long enough to be looked at" * 40)
    database = Database(f"sqlite:///{broken}")
    with pytest.raises(DatabaseUnavailable):
        await database.look(lambda connection: connection.execute(text("SELECT * FROM x")).one())
    await database.close()


async def test_who_goes_just_before_the_question_breaks_it_off_as_well(sqlite_url: str) -> None:
    """Promise: also when no statement runs yet in the moment in which somebody goes, which SQLite would forget."""
    database = Database(sqlite_url)
    begun, gone = threading.Event(), threading.Event()

    def late(connection: Connection) -> None:
        begun.set()
        assert gone.wait(10)
        connection.execute(FOR_EVER)

    looking = asyncio.create_task(database.look(late))
    assert await asyncio.to_thread(begun.wait, 10)
    looking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking
    gone.set()
    async with asyncio.timeout(10):
        await database.close()
