"""An engine from a URL: the driver, its limits, and what each new connection is told."""

import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.dialects.sqlite.aiosqlite import AsyncAdapt_aiosqlite_connection
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool, QueuePool

from cryptomarket.db.dialect import DRIVER, THREAD_DRIVER
from cryptomarket.errors import StartRefused


@dataclass(frozen=True, slots=True)
class Waits:
    """How long PostgreSQL's answers (None: as long as they take), connections of either database, and SQLite's one
    place for a writer are waited for.
    """

    answer_s: float | None = 60.0
    connect_s: float = 5.0
    busy_s: float = 10.0


# What a libpq URL may say behind its question mark and we understand; and how sure of the server one may want to be:
# postgresql.org/docs/current/libpq-connect.html
_QUERY = frozenset({"host", "port", "user", "password", "sslmode", "ssl"})
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


def driver_url(url: str | URL) -> URL:
    """The URL with the driver that we use. Raises StartRefused for a database that cannot serve."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # What was wrong may be quoted, and may be a password.
        raise StartRefused("An address of a database is sqlite:///path or postgresql://user@host:5432/name") from None
    match parsed.get_backend_name():
        case "sqlite":
            if parsed.database in (None, "", ":memory:"):
                raise StartRefused("A SQLite database needs a file: in memory, each connection would see its own.")
            return parsed.set(drivername=DRIVER)
        case "postgresql" | "postgres":
            return _as_asyncpg_has_it(parsed)
        case other:
            raise StartRefused(f"The database is SQLite or PostgreSQL; {other} is neither.")


def _as_asyncpg_has_it(url: URL) -> URL:
    query = {name: value if isinstance(value, str) else value[0] for name, value in url.query.items()}
    if unknown := sorted(query.keys() - _QUERY):
        known = ", ".join(sorted(_QUERY - {"ssl"}))
        raise StartRefused(f"An address of PostgreSQL has no {unknown[0][:64]!r}; behind the ? it may say {known}.")
    # Where they stand otherwise, so that whoever shows the address finds the password.
    user, password = query.pop("user", url.username), query.pop("password", url.password)
    if (mode := query.pop("sslmode", query.get("ssl"))) is not None:
        if mode not in _SSL_MODES:
            raise StartRefused(f"sslmode is one of {', '.join(_SSL_MODES)}.")
        query["ssl"] = mode
    # Not by `set`, for which an empty user is none that was given.
    return URL.create("postgresql+asyncpg", user, password, url.host, url.port, url.database, query)


def _pragmas(waits: Waits) -> Sequence[str]:
    """What a connection that writes is told."""
    return (
        f"busy_timeout={round(waits.busy_s * 1000)}",
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
    )


def _sqlite_engine(url: URL, pool_size: int, waits: Waits) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=waits.connect_s,
        connect_args={"isolation_level": None, "timeout": waits.busy_s},
    )

    @event.listens_for(engine.sync_engine, "do_connect")
    def make_privately(*_arguments: object) -> None:
        # SQLite would let everybody read it. What it makes beside it, it makes with the file's own mode.
        try:
            os.close(os.open(url.database or "", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            return
        except OSError as error:
            raise sqlite3.OperationalError("unable to open database file") from error

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: AsyncAdapt_aiosqlite_connection, _record: object) -> None:
        cursor = connection.cursor()
        try:
            for pragma in _pragmas(waits):
                cursor.execute(f"PRAGMA {pragma}")
        except sqlite3.Error:
            connection.close()
            raise
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        # A deferred transaction that reads first and writes later fails at once when another one wrote in between.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _existing(url: URL) -> URL:
    """The same file for threads, which is not made when it is missing (sqlite.org/uri.html)."""
    return URL.create(THREAD_DRIVER, database=f"file:{quote(url.database or '')}", query={"mode": "rw", "uri": "true"})


def _looking_engine(url: URL, pool_size: int, waits: Waits) -> Engine:
    """For readers in threads, who begin by themselves. Makes no file."""
    engine = create_engine(
        _existing(url),
        poolclass=QueuePool,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=waits.connect_s,
        connect_args={"isolation_level": None, "timeout": waits.busy_s, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA query_only=ON")

    return engine


def _storing_engine(url: URL, waits: Waits) -> Engine:
    """For one writer in a thread. Makes no file."""
    engine = create_engine(
        _existing(url),
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        connect_args={"isolation_level": None, "timeout": waits.busy_s, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        for pragma in _pragmas(waits):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _postgresql_engine(url: URL, pool_size: int, waits: Waits) -> AsyncEngine:
    return create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=waits.connect_s,
        connect_args={
            "timeout": waits.connect_s,
            "command_timeout": waits.answer_s,
            # Questions are small, and the same ones again and again: compiling one, or planning it anew for its values,
            # takes longer than answering it.
            "server_settings": {
                "application_name": "cryptomarket",
                "jit": "off",
                "plan_cache_mode": "force_generic_plan",
            },
        },
    )


class Engines(NamedTuple):
    """One pool of connections, with options for writing and for reading; and for SQLite two more, for looks that are
    taken in threads, and for one that stores in its own.
    """

    writer: AsyncEngine
    reader: AsyncEngine
    looker: Engine | None = None
    storer: Engine | None = None


def single_engine(url: URL, waits: Waits) -> AsyncEngine:
    """For one connection to PostgreSQL outside of any transaction."""
    return create_async_engine(
        url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args={"timeout": waits.connect_s}
    )


def engines_of(url: URL, pool_size: int, waits: Waits) -> Engines:
    """Engines for a URL of `driver_url`. Connects to nothing yet."""
    if url.get_backend_name() == "sqlite":
        engine = _sqlite_engine(url, pool_size, waits)
        writer = engine.execution_options(writes=True)
        return Engines(writer, engine, _looking_engine(url, pool_size, waits), _storing_engine(url, waits))
    engine = _postgresql_engine(url, pool_size, waits)
    one_look = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return Engines(engine, one_look)
