import importlib.util
import pkgutil
import re
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

import cryptomarket
from cryptomarket.db import Database, metadata
from cryptomarket.db.tables import store


async def test_there_is_one_owner(database: Database) -> None:
    """Two processes that start at once with different exchanges can't both own the store."""
    await database.claim("test")
    for id_ in (1, 2):
        with pytest.raises(IntegrityError):
            async with database.begin() as connection:
                await connection.execute(store.insert().values(id=id_, exchange="production", created_ms=1))
    async with database.read() as connection:
        assert (await connection.execute(select(store.c.exchange))).scalars().all() == ["test"]


def test_every_table_is_named_on_the_page() -> None:
    """Whoever looks into the database with psql finds each of its tables in docs/postgresql.md."""
    for room in pkgutil.iter_modules(cryptomarket.__path__, "cryptomarket."):
        if room.ispkg and importlib.util.find_spec(f"{room.name}.tables"):
            importlib.import_module(f"{room.name}.tables")
    page = (Path(__file__).parents[2] / "docs" / "postgresql.md").read_text(encoding="utf-8")
    [told] = re.findall(r"^\*\*Tables\*\*, all in schema `crypto`: (.+?)\.$", page, re.MULTILINE | re.DOTALL)
    named = re.findall(r"`(\w+)`", told)
    assert sorted(named) == sorted([table.name for table in metadata.tables.values()] + ["alembic_version"])
