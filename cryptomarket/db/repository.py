"""The SQL that concerns the store itself."""

from collections.abc import Iterable, Sequence
from typing import Any, cast

from sqlalchemy import Connection, Table, delete, func, inspect, literal, select, text, tuple_
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


def plan_for_values(connection: Connection) -> None:
    """What is asked in this transaction from now on is planned for its values each time: for questions whose rows are
    few or many by what they are asked for. SQLite makes a plan for each anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))


async def owner(connection: AsyncConnection) -> str:
    """The exchange whose store this is."""
    return cast("str", (await connection.execute(select(store.c.exchange))).scalar_one())


def wait_for_other_migrations(connection: Connection) -> None:
    """Lets one process at a time upgrade. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})


async def holds(connection: AsyncConnection, *, shared: bool) -> bool:
    """Whether this PostgreSQL connection is now one of those that asked so: the only one, or one of several `shared`
    ones. It is for as long as it is open.
    """
    ask = "SELECT pg_try_advisory_lock_shared(:key)" if shared else "SELECT pg_try_advisory_lock(:key)"
    return bool((await connection.execute(text(ask), {"key": _GATEWAY_LOCK})).scalar_one())


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


async def count(connection: AsyncConnection, table: Table, *, up_to_id: int | None = None) -> int:
    """How many rows a table has; with `up_to_id`, how many up to that one."""
    asked = select(func.count()).select_from(table)
    if up_to_id is not None:
        asked = asked.where(table.c.id <= up_to_id)
    return int((await connection.execute(asked)).scalar_one())


async def last_id(connection: AsyncConnection, table: Table) -> int:
    """The highest id of a table, 0 when it is empty."""
    return int((await connection.execute(select(func.max(table.c.id)))).scalar_one() or 0)


async def rows_after(
    connection: AsyncConnection,
    table: Table,
    key: Sequence[object] | None,
    *,
    limit: int,
    up_to_id: int | None = None,
) -> list[tuple[Any, ...]]:
    """At most `limit` rows in the order of the table's key, after this key, or from the start."""
    keys = list(table.primary_key.columns)
    asked = select(table).order_by(*keys).limit(limit)
    if key is not None:
        asked = asked.where(
            tuple_(*keys) > tuple_(*(literal(part, column.type) for part, column in zip(key, keys, strict=True)))
        )
    if up_to_id is not None:
        asked = asked.where(table.c.id <= up_to_id)
    return [tuple(row) for row in (await connection.execute(asked)).all()]


async def empty(connection: AsyncConnection, table: Table) -> None:
    """Takes every row out of a table."""
    await connection.execute(delete(table))


async def hand_out_ids_after(connection: AsyncConnection, table: Table, highest: int) -> None:
    """Lets PostgreSQL's next row of a table whose ids were given have one above them."""
    if highest > 0:
        await connection.execute(
            text("SELECT setval(pg_get_serial_sequence(:table, 'id'), :highest)"),
            {"table": f"{SCHEMA}.{table.name}", "highest": highest},
        )
