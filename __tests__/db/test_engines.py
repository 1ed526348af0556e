from pathlib import Path

import pytest

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


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://localhost/x"])
def test_a_database_that_cannot_work_is_refused_at_start(url: str) -> None:
    """A sentence instead of a store that forgets, or one that we do not speak."""
    with pytest.raises(StartRefused):
        Database(url)


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


async def test_the_folder_of_a_file_is_made(tmp_path: Path) -> None:
    """The first start finds no data folder."""
    database = Database(f"sqlite:///{tmp_path / 'new' / 'folder' / 'store.sqlite3'}")
    await database.ping()
    await database.close()
    assert (tmp_path / "new" / "folder" / "store.sqlite3").is_file()
