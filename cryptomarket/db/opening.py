"""The first thing a start does with a database: see that it is there, and of the newest revision."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from sqlalchemy import exc
from sqlalchemy.engine import URL

from cryptomarket.db.engines import Waits, driver_url, single_engine
from cryptomarket.db.migration import migrate
from cryptomarket.db.repository import create_database
from cryptomarket.errors import DatabaseUnavailable, StartRefused

# Every server has it, to connect to when one makes another: postgresql.org/docs/current/manage-ag-templatedbs.html
_MAINTENANCE = "postgres"
_MISSING_DATABASE = "3D000"
_EXISTS = ("42P04", "23505")  # by its name, or by another process that makes it at this moment
_NOT_ALLOWED = "42501"


def server_url(*, host: str, port: int, database: str, user: str, password: str) -> URL:
    """The address of a PostgreSQL database. A host that begins with a slash is the folder of a socket, as for psql."""
    address = URL.create("postgresql", username=user, password=password or None, database=database)
    if host.startswith("/"):
        return address.set(query={"host": host, "port": str(port)})
    return address.set(host=host, port=port)


def shown(url: str | URL) -> str:
    """A database's address as psql takes it (postgresql.org/docs/current/libpq-connect.html), its password starred."""
    parsed = driver_url(url)
    query = {"sslmode" if name == "ssl" else name: value for name, value in parsed.query.items()}
    return parsed.set(drivername=parsed.get_backend_name(), query=query).render_as_string(hide_password=True)


async def opened(url: str | URL, *, exchange: str | None = None, waits: Waits | None = None) -> None:
    """Makes the database when there is none, and brings it to the newest revision.

    Raises StartRefused with a sentence when that cannot be: the server is away or lets us not in, the database is of a
    newer revision or, with `exchange` given, another exchange's. Nothing was changed then.
    """
    target = driver_url(url)
    with told(target):
        if target.get_backend_name() != "sqlite":
            await _find_or_create(target, waits or Waits())
        await migrate(target, exchange=exchange, waits=waits)


@contextmanager
def told(url: URL, name: str = "") -> Iterator[None]:
    """A database that can't be worked with inside is StartRefused, which says why. `name` is the option by which its
    address was given; else the settings have it.
    """
    try:
        yield
    except DatabaseUnavailable as away:
        raise StartRefused(_sentence(url, away.__cause__, name)) from None
    except (exc.DBAPIError, asyncpg.PostgresError, OSError) as error:
        if not isinstance(error, OSError) and not _is_telling(error):
            raise
        raise StartRefused(_sentence(url, error, name)) from None


async def _find_or_create(target: URL, waits: Waits) -> None:
    try:
        await _connect(target, waits)
    except (exc.DBAPIError, asyncpg.PostgresError) as error:
        if _state(error) != _MISSING_DATABASE:
            raise
    else:
        return
    try:
        await _connect(target.set(database=_MAINTENANCE), waits, creating=target.database)
    except (exc.DBAPIError, asyncpg.PostgresError) as error:
        if _state(error) not in _EXISTS:
            raise


async def _connect(url: URL, waits: Waits, *, creating: str | None = None) -> None:
    engine = single_engine(url, waits)
    async with engine.connect() as connection:
        if creating is not None:
            await create_database(connection, creating)
    await engine.dispose()


def _state(error: BaseException | None) -> str:
    """The code of PostgreSQL's error, wherever in the chain it is; empty when none answered."""
    while error is not None:
        if state := getattr(error, "sqlstate", None):
            return str(state)
        error = getattr(error, "orig", None) or error.__cause__
    return ""


def _is_telling(error: BaseException) -> bool:
    return _state(error).startswith((_NOT_ALLOWED, "28", "3D", "53", "57P", "08"))


def _sentence(url: URL, error: BaseException | None, name: str) -> str:
    if url.get_backend_name() == "sqlite":
        return f"The database {url.database} cannot be opened. Is it a SQLite file that may be written?"
    where = f"PostgreSQL at {url.host or url.query.get('host', 'localhost')}:{url.port or 5432}"
    state = _state(error)
    if state.startswith("28"):
        given = f"user and password of {name}" if name else "POSTGRES_USER and POSTGRES_PASSWORD"
        return f"{where} does not let {url.username!r} in: check {given}."
    if state == _MISSING_DATABASE:
        return f"{where} has no database {url.database!r}."
    if state == _NOT_ALLOWED:
        return (
            f"{where} does not allow {url.username!r} to make what is missing; let a superuser say: "
            f'CREATE DATABASE "{url.database}" OWNER "{url.username}"'
        )
    if state.startswith("53"):
        return f"{where} has no connection left for us."
    if state.startswith("57P"):
        return f"{where} is starting or stopping; try again in a moment."
    return f"{where} cannot be reached: is it running? Check {name or 'POSTGRES_HOST and POSTGRES_PORT'}."
