"""Questions that are put to the driver: the same answers as by the library, in the same look, trouble by one name."""

import asyncio
import sqlite3
import threading
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    DateTime,
    Table,
    Text,
    bindparam,
    exc,
    func,
    insert,
    literal,
    select,
    text,
    union_all,
)

from cryptomarket.db import Database, Prepared, Price, metadata
from cryptomarket.db.tables import store
from cryptomarket.errors import DatabaseUnavailable

_OF = store.c.id == bindparam("of")
_EXCHANGES = Prepared(select(store.c.id, store.c.exchange, literal("x").label("x")).where(_OF))
_KILLED = Prepared(select(func.pg_terminate_backend(func.pg_backend_pid())))
_COUNT = Prepared(select(func.count()).select_from(store))


async def test_the_driver_answers_as_the_library_does(store_url: str) -> None:
    """Promise: rows are tuples on both databases; values go by name, and those that nobody asked for are ignored."""
    database = Database(store_url)
    await database.claim("simulator")
    given = {"of": 1, "nothing": "of the kind"}
    assert await database.look(lambda connection: list(_EXCHANGES.all(connection, given))) == [(1, "simulator", "x")]
    assert await database.look(lambda connection: list(_EXCHANGES.all(connection, {"of": 2}))) == []
    both = Prepared(union_all(*(select(store.c.exchange).where(store.c.id == bindparam(name)) for name in "ab")))
    assert await database.look(lambda connection: list(both.all(connection, {"a": 1, "b": 1}))) == [("simulator",)] * 2
    bound = Prepared(select(func.aggregate_strings(store.c.exchange, "-"), func.count()))
    assert await database.look(lambda connection: tuple(bound.one(connection, {}))) == ("simulator", 1)
    with pytest.raises(ValueError, match="not enough values to unpack"):
        await database.look(lambda connection: _EXCHANGES.one(connection, {"of": 2}))
    for missing in ({}, {"off": 1}):
        with pytest.raises((KeyError, exc.StatementError)):
            await database.look(partial(_EXCHANGES.all, given=missing))
    await database.close()


@pytest.mark.parametrize("is_library_first", [False, True])
async def test_a_look_is_one_state_whoever_asks(sqlite_url: str, *, is_library_first: bool) -> None:
    """Promise: what others write meanwhile is seen neither by the driver nor by the library, whichever asked first."""
    database = Database(sqlite_url)
    begun, written = threading.Event(), threading.Event()
    asked = select(func.count()).select_from(store)

    def look(connection: Connection) -> tuple[int, ...]:
        first = connection.execute(asked).scalar_one() if is_library_first else _COUNT.one(connection, {})[0]
        begun.set()
        assert written.wait(10)
        return first, connection.execute(asked).scalar_one(), _COUNT.one(connection, {})[0]

    looking = asyncio.create_task(database.look(look))
    assert await asyncio.to_thread(begun.wait, 10)
    await database.claim("simulator")
    written.set()
    assert await looking == (0, 0, 0)
    assert await database.look(lambda connection: _COUNT.one(connection, {})) == (1,)
    await database.close()


async def test_what_the_driver_would_have_otherwise_is_refused(sqlite_url: str) -> None:
    """Promise: a column or a value that needs our own type is never told as the driver has it."""
    table = Table("prices_of_a_test", metadata, Column("id", BigInteger), Column("price", Price), Column("t", Text))
    metadata.remove(table)
    database = Database(sqlite_url)
    moment = Table("moments_of_a_test", metadata, Column("at", DateTime))
    metadata.remove(moment)
    of_price = select(table.c.t).where(table.c.price == bindparam("price"))
    for statement in (select(table.c.price), of_price, select(moment.c.at)):
        with pytest.raises(TypeError, match="not as the driver has it"):
            await database.look(partial(Prepared(statement).all, given={"price": None}))
    await database.close()


async def test_trouble_of_the_driver_has_the_same_name(sqlite_url: str, tmp_path: Path) -> None:
    """Promise: a file that is no database is away, and a question of ours that is wrong is our own mistake."""
    broken = tmp_path / "broken.sqlite3"
    broken.write_bytes(b"no database at all, but long enough to be looked at" * 40)
    database = Database(f"sqlite:///{broken}")
    with pytest.raises(DatabaseUnavailable):
        await database.look(lambda connection: _COUNT.one(connection, {}))
    await database.close()
    database = Database(sqlite_url)
    wrong = Prepared(select(Table("nowhere", metadata, Column("id", BigInteger)).c.id))
    metadata.remove(metadata.tables["crypto.nowhere"])
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await database.look(lambda connection: wrong.all(connection, {}))
    with pytest.raises(OverflowError):
        await database.look(lambda connection: _EXCHANGES.all(connection, {"of": 1 << 70}))
    # …and the connection serves the next one.
    assert await database.look(lambda connection: _COUNT.one(connection, {})) == (0,)
    async with database.begin() as connection:
        await connection.execute(insert(store), {"id": 1, "exchange": "simulator", "created_ms": 1})
    await database.close()


async def test_a_server_that_breaks_off_is_away(postgres_url: str) -> None:
    """Promise: a connection that is lost between two questions is DatabaseUnavailable, and is not used again."""
    database = Database(postgres_url)

    def lost(connection: Connection) -> None:
        assert _COUNT.one(connection, {}) == (0,)
        _KILLED.one(connection, {})

    with pytest.raises(DatabaseUnavailable):
        await database.look(lost)
    assert await database.look(lambda connection: _COUNT.one(connection, {})) == (0,)
    await database.close()


async def test_a_question_that_the_server_refuses_is_our_mistake(postgres_url: str) -> None:
    """Promise: what is wrong with a question is told as the library tells it; the connection serves the next one."""
    database = Database(postgres_url)
    wrong = Prepared(select(Table("nowhere", metadata, Column("id", BigInteger)).c.id))
    metadata.remove(metadata.tables["crypto.nowhere"])
    with pytest.raises(exc.DBAPIError, match="does not exist"):
        await database.look(lambda connection: wrong.all(connection, {}))
    with pytest.raises(exc.DBAPIError, match="int16 range"):
        await database.look(lambda connection: _EXCHANGES.all(connection, {"of": 1 << 70}))
    assert await database.look(lambda connection: _COUNT.one(connection, {})) == (0,)
    await database.close()


async def test_a_plan_serves_all_values(postgres_url: str) -> None:
    """Promise: a question that is asked often is planned once, and not anew for each of its values."""
    database = Database(postgres_url)

    def plans(connection: Connection) -> tuple[int, int]:
        for number in range(20):
            _EXCHANGES.all(connection, {"of": number})
        mine = "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE 'SELECT crypto.%'"
        return tuple(connection.execute(text(mine)).one())

    assert await database.look(plans) == (20, 0)
    await database.close()
