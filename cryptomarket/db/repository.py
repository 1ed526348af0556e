"""The SQL that concerns the store itself."""

from collections.abc import Iterable, Sequence
from typing import cast

from sqlalchemy import Connection, inspect, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from cryptomarket.db.columns import SCHEMA, placed
from cryptomarket.db.months import Month
from cryptomarket.db.tables import store

# Any numbers, as long as every process of ours asks for the same ones.
_MIGRATION_LOCK = 0x63727970746F
_GATEWAY_LOCK = 0x637279707467
_PARTITION_LOCK = 0x637279707470


async def answer(connection: AsyncConnection) -> None:
    """Makes the database say something."""
    await connection.execute(text("SELECT 1"))


async def owner(connection: AsyncConnection) -> str:
    """The exchange whose store this is."""
    return cast("str", (await connection.execute(select(store.c.exchange))).scalar_one())


def wait_for_other_migrations(connection: Connection) -> None:
    """Lets one process at a time upgrade. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})


async def holds_alone(connection: AsyncConnection) -> bool:
    """Whether this PostgreSQL connection is now the only one that asked so; it is for as long as it is open."""
    asked = await connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _GATEWAY_LOCK})
    return bool(asked.scalar_one())


def former_owner(connection: Connection) -> str | None:
    """The exchange whose store this is; None for what is no store yet, or nobody's."""
    name, schema = placed(store.name, connection.dialect.name)
    if not inspect(connection).has_table(name, schema=schema):
        return None
    return connection.execute(select(store.c.exchange)).scalar_one_or_none()


async def create_database(connection: AsyncConnection, name: str) -> None:
    """Makes a database that takes every character, whatever language the server was set up in."""
    quoted = connection.dialect.identifier_preparer.quote_identifier(name)
    await connection.execute(
        text(f"CREATE DATABASE {quoted} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'")
    )


def partition_name(table: str, month: Month) -> str:
    return f"{table}_{month.year:04}_{month.month:02}"


async def add_partitions(connection: AsyncConnection, table: str, months: Iterable[Month]) -> None:
    """Makes the partitions of these months that a PostgreSQL table does not have. Others may do so at the same time."""
    await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _PARTITION_LOCK})
    for month in sorted(months):
        whole, part = f"{SCHEMA}.{table}", f"{SCHEMA}.{partition_name(table, month)}"
        if (await connection.execute(text("SELECT to_regclass(:part)"), {"part": part})).scalar_one() is not None:
            continue
        # Made beside the table and then attached, since `PARTITION OF` would wait for every reader and stop new ones.
        await connection.execute(text(f"CREATE TABLE {part} (LIKE {whole} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)"))
        await connection.execute(
            text(f"ALTER TABLE {whole} ATTACH PARTITION {part} FOR VALUES FROM ({month.start_ms}) TO ({month.end_ms})")
        )


async def stage(connection: AsyncConnection, table: str) -> str:
    """The name of an empty table like that one, of this PostgreSQL connection's own, which each commit empties."""
    name = f"{table}_stage"
    await connection.execute(
        text(
            f"CREATE TEMPORARY TABLE IF NOT EXISTS {name} ON COMMIT DELETE ROWS AS TABLE {SCHEMA}.{table} WITH NO DATA"
        )
    )
    return name


async def insert_staged(connection: AsyncConnection, table: str, columns: Sequence[str], staged: str) -> None:
    """Moves what is in the stage into its table, and leaves out what is there already."""
    listed = ", ".join(columns)
    await connection.execute(
        text(
            f"INSERT INTO {SCHEMA}.{table} ({listed}) "  # noqa: S608 - names of ours
            f"SELECT {listed} FROM {staged} ON CONFLICT DO NOTHING"
        )
    )
