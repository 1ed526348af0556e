"""The database behind one door: an engine from a URL, columns that keep what they are given, writes for both dialects.

Tables are declared once, in schema `crypto`. PostgreSQL has schemas and uses it; SQLite has none, and its dialect here
writes `crypto_person` wherever a statement names `crypto.person` (docs/decisions/0010-one-name-for-a-table.md).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import asyncpg
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    DateTime,
    FromClause,
    Integer,
    MetaData,
    Numeric,
    SmallInteger,
    Table,
    Text,
    event,
    exc,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, registry, sqlite
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler, SQLiteIdentifierPreparer
from sqlalchemy.engine import URL, Dialect, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.types import TypeDecorator, TypeEngine

from alembic import command
from cryptomarket.errors import DatabaseUnavailable, StartRefused

SCHEMA = "crypto"
PROJECT_FOLDER = Path(__file__).resolve().parent.parent

BUSY_TIMEOUT_MS = 10_000
_CONNECT_TIMEOUT_S = 5.0
_STATEMENT_TIMEOUT_S = 60.0
_MIGRATION_LOCK = 0x63727970746F  # any number, as long as every process of ours asks for the same one
_SQLITE_ERROR = 1  # "SQL error or missing database": our statement is wrong, the file is well (sqlite.org/rescode.html)
_AWAY_CLASSES = ("08", "53", "57P", "58")  # postgresql.org/docs/current/errcodes-appendix.html

metadata = MetaData(
    schema=SCHEMA,
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    },
)


class Price(TypeDecorator[Decimal]):
    """An exact decimal: NUMERIC on PostgreSQL; on SQLite its digits as text, since NUMERIC is floating there."""

    impl = Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Decimal]:
        kind = Text() if dialect.name == "sqlite" else Numeric()
        return cast("TypeEngine[Decimal]", dialect.type_descriptor(kind))

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Decimal | None:
        if value is None:
            return None
        if not isinstance(value, Decimal):
            raise TypeError(f"a price is a Decimal, not a {type(value).__name__}")
        return cast("Decimal", str(value)) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Decimal | None, dialect: Dialect) -> Decimal | None:
        return Decimal(value) if value is not None and dialect.name == "sqlite" else value


class UtcDateTime(TypeDecorator[datetime]):
    """A moment, with its zone: anything naive is refused, and what comes back is UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a zone cannot be stored")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def word() -> TypeEngine[str]:
    """Text that both databases compare byte by byte, so that names, epochs and sources sort the same everywhere."""
    return Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def row_id() -> TypeEngine[int]:
    """A 64-bit number that the database hands out. SQLite does so only for a column called INTEGER."""
    return BigInteger().with_variant(Integer(), "sqlite")


store = Table(
    "store",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("exchange", word(), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)


def placed(name: str, dialect_name: str) -> tuple[str, str | None]:
    """Name and schema of the table that we call `name`, as that database itself knows it."""
    return (f"{SCHEMA}_{name}", None) if dialect_name == "sqlite" else (name, SCHEMA)


class _PrefixPreparer(SQLiteIdentifierPreparer):
    def format_table(self, table: FromClause, use_schema: bool = True, name: str | None = None) -> str:
        plain = super().format_table(table, use_schema=False, name=name)
        schema = self.schema_for_object(table)
        return f"{schema}_{plain}" if schema else plain


def _prefixed(name: str) -> str:
    return name.replace(".", "_", 1) if name.startswith(f"{SCHEMA}.") else name


class _PrefixCompiler(SQLiteCompiler):
    # The library's own signatures are long, and passed on unread.
    def visit_column(self, column: Any, *args: Any, **kwargs: Any) -> str:  # noqa: ANN401
        return _prefixed(super().visit_column(column, *args, **kwargs))

    def visit_table(self, table: Any, *args: Any, **kwargs: Any) -> str:  # noqa: ANN401
        return _prefixed(super().visit_table(table, *args, **kwargs))  # type: ignore[no-untyped-call]


class PrefixedSQLite(SQLiteDialect_aiosqlite):
    """SQLite by aiosqlite, with the schema's name as a prefix of the table's."""

    supports_statement_cache = True
    preparer = _PrefixPreparer
    statement_compiler = _PrefixCompiler


registry.register("sqlite.prefixed", __name__, PrefixedSQLite.__name__)


def _driver_url(url: str | URL) -> URL:
    parsed = make_url(url)
    match parsed.get_backend_name():
        case "sqlite":
            if parsed.database in (None, "", ":memory:"):
                raise StartRefused("A SQLite database needs a file: in memory, each connection would see its own.")
            return parsed.set(drivername="sqlite+prefixed")
        case "postgresql" | "postgres":
            return parsed.set(drivername="postgresql+asyncpg")
        case other:
            raise StartRefused(f"The database is SQLite or PostgreSQL; {other} is neither.")


def _sqlite_engine(url: URL, pool_size: int) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=_CONNECT_TIMEOUT_S,
        connect_args={"isolation_level": None, "timeout": BUSY_TIMEOUT_MS / 1000},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: sqlite.aiosqlite.AsyncAdapt_aiosqlite_connection, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", f"busy_timeout={BUSY_TIMEOUT_MS}"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        # A deferred transaction that reads first and writes later fails at once when another one wrote in between.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql_engine(url: URL, pool_size: int) -> AsyncEngine:
    return create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=_CONNECT_TIMEOUT_S,
        connect_args={"timeout": _CONNECT_TIMEOUT_S, "command_timeout": _STATEMENT_TIMEOUT_S},
    )


def _is_away(error: exc.DBAPIError) -> bool:
    if error.connection_invalidated or isinstance(error, exc.InterfaceError):
        return True
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return isinstance(error, exc.OperationalError) and code != _SQLITE_ERROR
    return str(getattr(error.orig, "sqlstate", None) or "").startswith(_AWAY_CLASSES)


class Database:
    """One database. `begin()` is for writing, `read()` for one consistent look; both raise DatabaseUnavailable when
    it can't be reached, is busy beyond its time limit, or breaks off.

    At most `pool_size` connections; who waits longer than five seconds for one is told DatabaseUnavailable.
    `clock` tells seconds since the epoch.
    """

    def __init__(self, url: str | URL, *, pool_size: int = 8, clock: Callable[[], float] = time.time) -> None:
        self.url = _driver_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._clock = clock
        self._writing = asyncio.Lock()
        if self.is_sqlite:
            Path(cast("str", self.url.database)).parent.mkdir(parents=True, exist_ok=True)
            self._engine = _sqlite_engine(self.url, pool_size)
            self._reader, self._writer = self._engine, self._engine.execution_options(writes=True)
        else:
            self._engine = _postgresql_engine(self.url, pool_size)
            self._writer = self._engine
            self._reader = self._engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    @property
    def dialect(self) -> Dialect:
        return self._engine.dialect

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that writes: committed at the end of the block, rolled back when the block raises.

        SQLite takes one writer at a time: others wait here, in order of arrival, and not in the database.
        """
        turn = self._writing if self.is_sqlite else nullcontext()
        async with self._reachable(), turn, self._writer.begin() as connection:
            yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads: every statement in the block sees the database as of the first one."""
        async with self._reachable(), self._reader.connect() as connection:
            yield connection

    @asynccontextmanager
    async def _reachable(self) -> AsyncIterator[None]:
        try:
            yield
        except exc.TimeoutError as error:
            raise DatabaseUnavailable("All connections to the database are busy.", retry_after_s=1) from error
        except exc.DBAPIError as error:
            if not _is_away(error):
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
        self,
        connection: AsyncConnection,
        table: Table,
        columns: Sequence[str],
        rows: Sequence[tuple[object, ...]],
        *,
        keys: Sequence[str],
    ) -> None:
        """Inserts many `rows` of the driver's own values (`driver_price`), leaving out those whose `keys` exist.

        The fast way in: nothing is converted or looked at between the caller and the driver.
        """
        if not rows:
            return
        dialect = sqlite if self.is_sqlite else postgresql
        statement = dialect.insert(table).on_conflict_do_nothing(index_elements=list(keys))
        compiled = statement.compile(dialect=self.dialect, column_keys=list(columns))
        await connection.exec_driver_sql(str(compiled), list(rows))

    def driver_price(self, price: Decimal | None) -> Decimal | str | None:
        """A price as `insert_new` takes it."""
        return str(price) if price is not None and self.is_sqlite else price

    async def claim(self, exchange: str) -> None:
        """Makes this the store of `exchange`, once. Raises StartRefused when it is another exchange's."""
        row = {"id": 1, "exchange": exchange, "created_ms": int(self._clock() * 1000)}
        async with self.begin() as connection:
            await self.upsert(connection, store, [row], keys=["id"])
            owner = (await connection.execute(select(store.c.exchange))).scalar_one()
        if owner != exchange:
            raise StartRefused(
                f"This database belongs to the exchange {owner!r} and cannot be used with {exchange!r}: "
                f"give each exchange its own database."
            )

    async def ping(self) -> None:
        """Returns when the database answers. Raises DatabaseUnavailable."""
        async with self.read() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        await self._engine.dispose()


def alembic_config() -> Config:
    """Alembic's configuration of this project. Raises StartRefused when its folder is not where the project is."""
    folder = PROJECT_FOLDER / "alembic"
    if not (folder / "env.py").is_file():
        raise StartRefused("The folder alembic/ is missing: start from a checkout of the project.")
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _refuse_newer(connection: Connection, scripts: ScriptDirectory) -> None:
    name, schema = placed("alembic_version", connection.dialect.name)
    context = MigrationContext.configure(connection, opts={"version_table": name, "version_table_schema": schema})
    for revision in context.get_current_heads():
        try:
            scripts.get_revision(revision)
        except CommandError as error:
            raise StartRefused(
                f"The database is of revision {revision!r}, which this version does not know: it was written by a "
                f"newer one. Nothing was changed; start that version, or restore an older database."
            ) from error


def _upgrade(connection: Connection) -> None:
    config = alembic_config()
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
    _refuse_newer(connection, ScriptDirectory.from_config(config))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def migrate(url: str | URL) -> None:
    """Brings the database to the newest revision, upgrade only, in one transaction: all of it or nothing.

    Raises StartRefused for a database of an unknown (newer) revision, DatabaseUnavailable when there is none.
    """
    database = Database(url)
    try:
        async with database.begin() as connection:
            await connection.run_sync(_upgrade)
    finally:
        await database.close()
