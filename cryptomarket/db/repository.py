"""The SQL that concerns the store itself."""

from typing import cast

from sqlalchemy import Connection, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from cryptomarket.db.tables import store

_MIGRATION_LOCK = 0x63727970746F  # any number, as long as every process of ours asks for the same one


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
