import asyncio
import sqlite3
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select, text

from __tests__.postgres_server import PostgresServer
from alembic import command
from cryptomarket.db import Database, migrate
from cryptomarket.db.migration import alembic_config
from cryptomarket.db.months import LAST, Month
from cryptomarket.errors import DatabaseUnavailable, StartRefused
from cryptomarket.history.tables import price_tickers


def _dump(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


async def test_a_second_upgrade_changes_nothing(sqlite: Database, tmp_path: Path) -> None:
    """Every start upgrades, so an upgraded store must be left as it is."""
    await sqlite.claim("test")
    before = await asyncio.to_thread(_dump, tmp_path / "store.sqlite3")
    await migrate(sqlite.url)
    assert await asyncio.to_thread(_dump, tmp_path / "store.sqlite3") == before
    await sqlite.close()


async def test_a_store_of_a_newer_version_is_refused_untouched(sqlite: Database, tmp_path: Path) -> None:
    """Upgrade only: an unknown revision stops the start with a sentence, and nothing is changed."""
    async with sqlite.begin() as connection:
        await connection.exec_driver_sql("UPDATE crypto_alembic_version SET version_num = '9999'")
    before = await asyncio.to_thread(_dump, tmp_path / "store.sqlite3")
    with pytest.raises(StartRefused, match="revision '9999', which this version does not know"):
        await migrate(sqlite.url)
    assert await asyncio.to_thread(_dump, tmp_path / "store.sqlite3") == before
    await sqlite.close()


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


def _upgrade_to(revision: str, connection: Connection) -> None:
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


async def test_an_older_store_keeps_its_rows(empty_url: str) -> None:
    """Ticks stored by the first revision are the same ones after the upgrade, wherever in time they are."""
    database = Database(empty_url)
    async with database.begin() as connection:
        await connection.run_sync(partial(_upgrade_to, "0001"))
        columns = [
            "ticker",
            "epoch",
            "seq",
            "source",
            "kind",
            "instrument_name",
            "timestamp_ms",
            "received_us",
            "price",
        ]
        price = database.driver_price(Decimal("85500.10"))
        times = [5, *(Month(2026, month).start_ms - past for month in (1, 2, 12) for past in (0, 1)), LAST.start_ms]
        rows = [
            ("btc_usd", "e1", seq, "stream", "index", "btc_usd", ms, ms * 1000, price) for seq, ms in enumerate(times)
        ]
        await database.insert_new(connection, price_tickers, columns, rows)
        before = (await connection.execute(select(price_tickers).order_by(price_tickers.c.id))).all()
    await migrate(empty_url)
    async with database.begin() as connection:
        assert (await connection.execute(select(price_tickers).order_by(price_tickers.c.id))).all() == before
        assert len(before) == len(times)
        if database.is_sqlite:
            asked = text("SELECT name FROM sqlite_schema WHERE type = 'index'")
            names = (await connection.execute(asked)).scalars().all()
            assert "ix_price_tickers_lines" in names
            assert "ix_price_tickers_ticker_timestamp_ms" not in names
        again = [(*rows[0][:2], 1000, *rows[0][3:])]
        await database.insert_new(connection, price_tickers, columns, again)
        newest = (await connection.execute(select(func.max(price_tickers.c.id)))).scalar_one()
        assert newest > before[-1].id
    await database.close()


async def test_a_newer_server_store_is_refused_untouched(postgres: PostgresServer, postgresql: Database) -> None:
    """The same on PostgreSQL."""
    name = str(postgresql.url.database)
    async with postgresql.begin() as connection:
        await connection.exec_driver_sql("UPDATE crypto.alembic_version SET version_num = '9999'")
    before = postgres.dump(name)
    with pytest.raises(StartRefused, match="revision '9999', which this version does not know"):
        await migrate(postgresql.url)
    assert postgres.dump(name) == before


async def test_a_server_store_is_upgraded_once(postgres: PostgresServer, postgresql: Database) -> None:
    """A second upgrade changes nothing."""
    name = str(postgresql.url.database)
    before = postgres.dump(name)
    await migrate(postgresql.url)
    assert postgres.dump(name) == before


async def test_a_server_store_is_upgraded_wholly_or_not_at_all(postgres: PostgresServer) -> None:
    """A revision that fails half-way leaves the server's database as it was."""
    name = postgres.new_database()
    postgres.sql("CREATE SCHEMA crypto; CREATE TABLE crypto.person_sets (somebody_elses TEXT)", name)
    with pytest.raises(Exception, match='"person_sets" already exists'):
        await migrate(postgres.url(name))
    assert postgres.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'crypto'", name) == "person_sets"
    postgres.drop(name)


async def test_without_a_database_there_is_no_upgrade() -> None:
    """A database that can't be reached is told as such, so that the start can wait for it."""
    with pytest.raises(DatabaseUnavailable):
        await migrate("postgresql://u:p@127.0.0.1:1/none")
