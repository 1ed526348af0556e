import asyncio
from pathlib import Path

import pytest

from __tests__.postgres_server import PostgresServer
from cryptomarket.db import Database
from cryptomarket.db.engines import driver_url
from cryptomarket.errors import DatabaseUnavailable, StartRefused


async def test_the_file_is_kept_as_it_should_be(sqlite: Database) -> None:
    """WAL, normal syncing, foreign keys checked, and patience with other processes."""
    async with sqlite.read() as connection:
        told = [
            (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert told == ["wal", 1, 1, 10_000]


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "mysql://localhost/x",
        "somewhere",
        "",
        "postgresql://me:s3cret@host:banana/x",
        "postgresql://me:s3cret@host/x?nonsense=s3cret",
        "postgresql://me:s3cret@host/x?sslmode=s3cret",
    ],
)
def test_a_database_that_cannot_work_is_refused_at_start(url: str) -> None:
    """A sentence instead of a store that forgets, or one that we do not speak; what may be a secret is not in it."""
    with pytest.raises(StartRefused) as refused:
        Database(url)
    assert "s3cret" not in str(refused.value)


def test_what_libpq_says_of_tls_reaches_the_driver() -> None:
    """Promise: an address that works in psql works here; asyncpg has another word for the same modes."""
    assert driver_url("postgresql://me@host/x?sslmode=verify-full").query == {"ssl": "verify-full"}


async def test_the_mode_of_tls_is_acted_on(postgres: PostgresServer, postgres_url: str) -> None:
    """Promise: who wants TLS gets no plain connection; who wants none, or does not care, gets what there is."""
    for mode in ("disable", "prefer"):
        database = Database(f"{postgres_url}?sslmode={mode}")
        await database.ping()
        await database.close()
    strict = Database(f"{postgres_url}?sslmode=require")
    with pytest.raises(DatabaseUnavailable):
        await strict.ping()
    await strict.close()


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("sqlite:///x.sqlite3", "sqlite+prefixed"),
        ("sqlite+aiosqlite:///x.sqlite3", "sqlite+prefixed"),
        ("postgresql://u:p@h/d", "postgresql+asyncpg"),
        ("postgresql+asyncpg://u:p@h/d", "postgresql+asyncpg"),
    ],
)
def test_a_url_needs_no_driver(url: str, driver: str) -> None:
    """Whoever starts the gateway names a database, and not what we reach it with."""
    assert driver_url(url).drivername == driver


def test_no_folder_is_made(tmp_path: Path) -> None:
    """Promise: a path with a slip in it leaves nothing behind."""

    async def ping() -> None:
        database = Database(f"sqlite:///{tmp_path / 'new' / 'store.sqlite3'}")
        with pytest.raises(DatabaseUnavailable):
            await database.ping()
        await database.close()

    asyncio.run(ping())
    assert list(tmp_path.iterdir()) == []


def test_the_files_are_their_owners_alone(tmp_path: Path) -> None:
    """Promise: nobody else reads who was here, nor in what is not yet checked in."""

    def modes() -> dict[str, int]:
        return {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}

    async def written() -> dict[str, int]:
        database = Database(f"sqlite:///{tmp_path / 'store.sqlite3'}")
        async with database.begin() as connection:
            await connection.exec_driver_sql("CREATE TABLE x (y)")
            found = modes()
        await database.close()
        return found

    assert asyncio.run(written()) == {"store.sqlite3": 0o600, "store.sqlite3-wal": 0o600, "store.sqlite3-shm": 0o600}
