"""Runs the revisions: on the connection that cryptomarket.db.migrate hands in, or on `-x url=…` by hand."""

import asyncio
import importlib.util
import pkgutil

from sqlalchemy import Connection, text
from sqlalchemy.schema import SchemaItem

import cryptomarket
from alembic import context
from cryptomarket.db import SCHEMA, Database, metadata, placed


def _declare_tables() -> None:
    for room in pkgutil.iter_modules(cryptomarket.__path__, "cryptomarket."):
        if room.ispkg and importlib.util.find_spec(f"{room.name}.tables"):
            importlib.import_module(f"{room.name}.tables")


def _is_ours(_item: SchemaItem, name: str | None, kind: str, reflected: bool, _other: SchemaItem | None) -> bool:
    return not (kind == "table" and reflected and (name or "").endswith("alembic_version"))


def run(connection: Connection) -> None:
    """Every missing revision, in one transaction."""
    version_table, version_schema = placed("alembic_version", connection.dialect.name)
    if version_schema is not None:
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table=version_table,
        version_table_schema=version_schema,
        transactional_ddl=True,
        include_object=_is_ours,
        include_schemas=version_schema is not None,
    )
    with context.begin_transaction():
        context.run_migrations()


async def run_by_hand() -> None:
    """The same on a database that is named on the command line."""
    url = context.get_x_argument(as_dictionary=True).get("url")
    if not isinstance(url, str):
        raise SystemExit("Say which database: alembic -x url=sqlite:///… or -x url=postgresql://…")
    database = Database(url)
    try:
        async with database.begin() as connection:
            await connection.run_sync(run)
    finally:
        await database.close()


if context.is_offline_mode():
    raise SystemExit("The revisions ask the database what it is, so there is no offline mode.")
_declare_tables()
handed_in = context.config.attributes.get("connection")
if handed_in is None:
    asyncio.run(run_by_hand())
else:
    run(handed_in)
