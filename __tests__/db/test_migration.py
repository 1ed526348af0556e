import asyncio
import sqlite3
from pathlib import Path

import pytest

from cryptomarket.db import Database, migrate
from cryptomarket.errors import DatabaseUnavailable, StartRefused


def _dump(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


async def test_a_second_upgrade_changes_nothing(database: Database, tmp_path: Path) -> None:
    """Every start upgrades, so an upgraded store must be left as it is."""
    await database.claim("test")
    before = await asyncio.to_thread(_dump, tmp_path / "store.sqlite3")
    await migrate(database.url)
    assert await asyncio.to_thread(_dump, tmp_path / "store.sqlite3") == before
    await database.close()


async def test_a_store_of_a_newer_version_is_refused_untouched(database: Database, tmp_path: Path) -> None:
    """Upgrade only: an unknown revision stops the start with a sentence, and nothing is changed."""
    async with database.begin() as connection:
        await connection.exec_driver_sql("UPDATE crypto_alembic_version SET version_num = '9999'")
    before = await asyncio.to_thread(_dump, tmp_path / "store.sqlite3")
    with pytest.raises(StartRefused, match="revision '9999', which this version does not know"):
        await migrate(database.url)
    assert await asyncio.to_thread(_dump, tmp_path / "store.sqlite3") == before
    await database.close()


async def test_an_upgrade_is_all_or_nothing(tmp_path: Path) -> None:
    """A revision that fails half-way leaves an empty database, not half of one."""
    path = tmp_path / "store.sqlite3"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE crypto_person_sets (somebody_elses TEXT)")
    connection.close()
    with pytest.raises(Exception, match="crypto_person_sets already exists"):
        await migrate(f"sqlite:///{path}")
    assert [line for line in await asyncio.to_thread(_dump, path) if "CREATE" in line] == [
        "CREATE TABLE crypto_person_sets (somebody_elses TEXT);"
    ]


async def test_without_a_database_there_is_no_upgrade() -> None:
    """A database that can't be reached is told as such, so that the start can wait for it."""
    with pytest.raises(DatabaseUnavailable):
        await migrate("postgresql://u:p@127.0.0.1:1/none")
