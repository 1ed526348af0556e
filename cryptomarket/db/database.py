"""One database: transactions, writes that may be repeated, and trouble under one name."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from decimal import Decimal
from itertools import chain
from typing import TypeVar

import asyncpg
from sqlalchemy import Connection, Table, exc
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Dialect
from sqlalchemy.ext.asyncio import AsyncConnection

from cryptomarket.db.engines import Waits, driver_url, engines_of, single_engine
from cryptomarket.db.looking import Looking
from cryptomarket.db.many_rows import statements
from cryptomarket.db.months import Month, months_of
from cryptomarket.db.repository import add_partitions, answer, holds, insert_staged, owner, stage
from cryptomarket.db.storing import Storing
from cryptomarket.db.tables import store
from cryptomarket.db.writing import Writing
from cryptomarket.errors import DatabaseUnavailable, StartRefused

T = TypeVar("T")

_SQLITE_ERROR = 1  # "SQL error or missing database": our statement is wrong, the file is well (sqlite.org/rescode.html)
# No connection, no resources, shut down, system error; a login or a database that is not there (yet); two that waited
# for each other, and a server that became a standby: postgresql.org/docs/current/errcodes-appendix.html
_AWAY_CLASSES = ("08", "53", "57P", "58", "28", "3D", "40", "25006")
_CHECK_VIOLATION = "23514"
_LOCK_NOT_AVAILABLE = "55P03"
_COPY_ERRORS = {"22": exc.DataError, "23": exc.IntegrityError, "54": exc.DataError}


def _is_away(error: exc.DBAPIError) -> bool:
    if error.connection_invalidated or isinstance(error, exc.InterfaceError):
        return True
    if isinstance(error.orig, sqlite3.Error):
        return _is_file_away(error.orig)
    return str(getattr(error.orig, "sqlstate", None) or "").startswith(_AWAY_CLASSES)


def _is_file_away(error: sqlite3.Error) -> bool:
    ours = sqlite3.IntegrityError | sqlite3.ProgrammingError | sqlite3.DataError | sqlite3.NotSupportedError
    return not isinstance(error, ours) and getattr(error, "sqlite_errorcode", None) != _SQLITE_ERROR


def _lacks_a_partition(error: exc.DBAPIError) -> bool:
    """PostgreSQL says so by the code of a broken check, but names no constraint."""
    told = error.orig
    if told is None or getattr(told, "sqlstate", None) != _CHECK_VIOLATION:
        return False
    return not getattr(told.__cause__, "constraint_name", None)


async def _copy(
    connection: AsyncConnection, table: str, columns: Sequence[str], rows: Sequence[tuple[object, ...]]
) -> None:
    driver: asyncpg.Connection = (await connection.get_raw_connection()).driver_connection
    try:
        await driver.copy_records_to_table(table, columns=list(columns), records=rows)
    except asyncpg.PostgresError as error:
        # As the library would have said it, had it been asked.
        raise _COPY_ERRORS.get(str(error.sqlstate)[:2], exc.DBAPIError)("COPY", None, error) from error
    except (asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        if driver.is_closed():
            raise DatabaseUnavailable("The database cannot be reached.") from error
        raise exc.DBAPIError("COPY", None, error) from error


def refuse_another(exchange: str, owned_by: str) -> None:
    """Raises StartRefused when the store of `owned_by` is asked to serve another exchange."""
    if owned_by != exchange:
        raise StartRefused(
            f"This database belongs to the exchange {owned_by!r} and cannot be used with {exchange!r}: "
            f"give each exchange its own database."
        )


class Database:
    """One database. `begin()` is for writing, `read()` for one consistent look; both raise DatabaseUnavailable when
    it can't be reached, is busy beyond its time limit, or breaks off.

    At most `pool_size` connections; who waits for one, or for an answer, longer than `waits` is told
    DatabaseUnavailable. `clock` tells seconds since the epoch.
    """

    def __init__(
        self,
        url: str | URL,
        *,
        pool_size: int = 8,
        waits: Waits = Waits(),  # noqa: B008  # frozen
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.url = driver_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.writing = Writing(is_sqlite=self.is_sqlite)
        self._waits = waits
        self._clock = clock
        self._writing = asyncio.Lock()
        self._engines = engines_of(self.url, pool_size, waits)
        looker = self._engines.looker
        self._looking = Looking(looker, at_once=pool_size) if looker is not None else None
        storer = self._engines.storer
        self._storing = Storing(storer) if storer is not None else None
        self._partitions: dict[str, set[Month]] = {}

    @property
    def dialect(self) -> Dialect:
        return self._engines.writer.dialect

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that writes: committed at the end of the block, rolled back when the block raises.

        SQLite takes one writer at a time: others wait here, in order of arrival, and not in the database.
        """
        turn = self._writing if self.is_sqlite else nullcontext()
        async with self._reachable(), turn, self._engines.writer.begin() as connection:
            yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads: every statement in the block sees the database as of the first one."""
        async with self._reachable(), self._engines.reader.connect() as connection:
            yield connection

    async def look(self, ask: Callable[[Connection], T]) -> T:
        """What `ask` makes of one consistent look, in which it may put many questions and do what takes its time: with
        SQLite it runs in a thread, where questions don't wait for the loop. Who is cancelled frees its connection.
        """
        async with self._reachable():
            if self._looking is not None:
                return await self._looking.look(ask)
            async with self._engines.reader.connect() as connection:
                return await connection.run_sync(ask)

    @asynccontextmanager
    async def _reachable(self) -> AsyncIterator[None]:
        try:
            yield
        except exc.TimeoutError as error:
            raise DatabaseUnavailable("All connections to the database are busy.", retry_after_s=1) from error
        except exc.DBAPIError as error:
            if _lacks_a_partition(error):
                # Somebody dropped it since it was made: the next try makes it again.
                self._partitions.clear()
                raise DatabaseUnavailable("A month has no partition yet.", retry_after_s=1) from error
            if getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
                raise DatabaseUnavailable("Others hold what is asked for.", retry_after_s=1) from error
            if not _is_away(error):
                raise
            raise DatabaseUnavailable("The database cannot be reached.") from error
        except sqlite3.Error as error:
            # Of the driver itself, see Prepared.
            if not _is_file_away(error):
                raise
            raise DatabaseUnavailable("The database cannot be reached.") from error
        except (OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError) as error:
            raise DatabaseUnavailable("The database cannot be reached.") from error

    async def upsert(
        self,
        connection: AsyncConnection,
        table: Table,
        rows: Sequence[Mapping[str, object]],
        *,
        keys: Sequence[str],
        update: Sequence[str] = (),
    ) -> int:
        """Inserts `rows`; where one with the same `keys` exists, sets its columns `update`, or leaves it as it is.

        Returns the number of rows written, -1 where the driver doesn't count (many rows on PostgreSQL).
        """
        if not rows:
            return 0
        dialect = sqlite if self.is_sqlite else postgresql
        statement = dialect.insert(table)
        if update:
            statement = statement.on_conflict_do_update(
                index_elements=list(keys), set_={name: statement.excluded[name] for name in update}
            )
        else:
            statement = statement.on_conflict_do_nothing(index_elements=list(keys))
        many = [dict(row) for row in rows]
        return (await connection.execute(statement, many if len(many) > 1 else many[0])).rowcount

    async def insert_new(
        self, connection: AsyncConnection, table: Table, columns: Sequence[str], rows: Sequence[tuple[object, ...]]
    ) -> None:
        """Inserts many `rows` of the driver's own values (`driver_price`), leaving out those that are there already
        by any of the table's unique keys.

        The fast way in: nothing is converted or looked at between the caller and the driver. PostgreSQL takes them by
        COPY into a stage; a partitioned table needs its partitions first (`make_partitions`).
        """
        if not rows:
            return
        if self.is_sqlite:
            for statement, values in statements(table, tuple(columns), rows, self.dialect):
                await connection.exec_driver_sql(statement, values)
        else:
            staged = await stage(connection, table.name)
            await _copy(connection, staged, columns, rows)
            await insert_staged(connection, table.name, columns, staged)

    async def store(self, parts: Sequence[tuple[Table, Sequence[str], Sequence[tuple[object, ...]]]]) -> None:
        """Inserts many rows of several tables as `insert_new` does, all or none: for each its table, the names of its
        columns, and the rows. The fastest way in: SQLite takes them in a thread, and no step of it waits for the loop.
        """
        if self._storing is None:
            async with self.begin() as connection:
                for table, columns, rows in parts:
                    await self.insert_new(connection, table, columns, rows)
            return
        several = (statements(table, tuple(columns), rows, self.dialect) for table, columns, rows in parts)
        async with self._reachable(), self._writing:
            await self._storing.store(chain.from_iterable(several))

    async def make_partitions(self, table: Table, timestamps_ms: Iterable[int]) -> None:
        """Sees to it that a partitioned table has a place for rows of these times. SQLite has one place for all."""
        if self.is_sqlite:
            return
        known = self._partitions.setdefault(table.name, set())
        if missing := months_of(timestamps_ms) - known:
            async with self.begin() as connection:
                await add_partitions(connection, table.name, missing)
            known |= missing

    def driver_price(self, price: Decimal | None) -> Decimal | str | None:
        """A price as `insert_new` takes it."""
        return str(price) if price is not None and self.is_sqlite else price

    async def claim(self, exchange: str) -> None:
        """Makes this the store of `exchange`, once. Raises StartRefused when it is another exchange's."""
        row = {"id": 1, "exchange": exchange, "created_ms": int(self._clock() * 1000)}
        async with self.begin() as connection:
            await self.upsert(connection, store, [row], keys=["id"])
            owned_by = await owner(connection)
        refuse_another(exchange, owned_by)

    @asynccontextmanager
    async def held(self, *, shared: bool) -> AsyncIterator[None]:
        """Holds a PostgreSQL database, for the block or until that connection is lost: for one gateway or copy alone,
        or `shared` by the processes of a deployment. Raises StartRefused when others hold it in the other way. A SQLite
        file is held by a lock beside it.
        """
        if self.is_sqlite:
            yield
            return
        async with AsyncExitStack() as stack:
            engine = single_engine(self.url, self._waits)
            stack.push_async_callback(engine.dispose)
            async with self._reachable():
                is_ours = await holds(await stack.enter_async_context(engine.connect()), shared=shared)
            if not is_ours:
                name = self.url.database
                raise StartRefused(f"Another gateway runs on the database {name!r}; give this one its own POSTGRES_DB.")
            yield

    async def ping(self) -> None:
        """Returns when the database answers. Raises DatabaseUnavailable."""
        # As long for the answer as for the connection.
        async with self._reachable(), asyncio.timeout(2 * self._waits.connect_s), self.read() as connection:
            await answer(connection)

    async def close(self) -> None:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._engines.writer.dispose)
            for threads in (self._looking, self._storing):
                if threads is not None:
                    stack.push_async_callback(threads.close)
