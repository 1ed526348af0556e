import importlib
import importlib.util
import pkgutil
import re
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, Connection, Table, UniqueConstraint, inspect

import cryptomarket
from cryptomarket.db import PARTITIONED_BY, Database, metadata, placed
from cryptomarket.db.migration import alembic_config

ROOT = Path(cryptomarket.__file__).resolve().parent.parent


def declared(dialect_name: str) -> dict[str, Table]:
    """Every table that a room declares, as the database calls it."""
    for room in pkgutil.iter_modules(cryptomarket.__path__, "cryptomarket."):
        if room.ispkg and importlib.util.find_spec(f"{room.name}.tables"):
            importlib.import_module(f"{room.name}.tables")
    return {placed(table.name, dialect_name)[0]: table for table in metadata.tables.values()}


@pytest.fixture
async def database(store_url: str) -> AsyncIterator[Database]:
    database = Database(store_url)
    yield database
    await database.close()


def _letters(sql: object) -> str:
    """A condition without what a database adds when it repeats it."""
    return re.sub(r"::\w+|[() ]", "", str(sql))


def _shape_in_database(connection: Connection, name: str) -> dict[str, object]:
    inspector, (_, schema) = inspect(connection), placed("", connection.dialect.name)
    key = inspector.get_pk_constraint(name, schema)
    unique = inspector.get_unique_constraints(name, schema)
    by_key = {each["name"] for each in unique}
    indexes = [each for each in inspector.get_indexes(name, schema) if each["name"] not in by_key]
    return {
        "columns": [
            (column["name"], column["type"].compile(dialect=connection.dialect).upper(), column["nullable"])
            for column in inspector.get_columns(name, schema)
        ],
        "key": (key["name"], key["constrained_columns"]),
        "unique": sorted((each["name"], each["column_names"]) for each in unique),
        "indexes": sorted((each["name"], each["column_names"]) for each in indexes),
        "checks": sorted(
            (each["name"], _letters(each["sqltext"])) for each in inspector.get_check_constraints(name, schema)
        ),
    }


def _shape_as_declared(connection: Connection, table: Table) -> dict[str, object]:
    sqlite = connection.dialect.name == "sqlite"
    unique = [each for each in table.constraints if isinstance(each, UniqueConstraint)]
    checks = [each for each in table.constraints if isinstance(each, CheckConstraint)]
    only_here = {None, connection.dialect.name}
    indexes = [each for each in table.indexes if getattr(each._ddl_if, "dialect", None) in only_here]  # noqa: SLF001
    # Where a table is divided, each of its keys holds the column that divides it.
    divided = [] if sqlite else [str(table.info[PARTITIONED_BY])] if PARTITIONED_BY in table.info else []
    return {
        "columns": [
            (column.name, column.type.compile(dialect=connection.dialect).upper(), column.nullable)
            for column in table.columns
        ],
        "key": (table.primary_key.name, [*(column.name for column in table.primary_key.columns), *divided]),
        "unique": sorted((str(each.name), [*(column.name for column in each.columns), *divided]) for each in unique),
        "indexes": sorted((str(each.name), [column.name for column in each.columns]) for each in indexes),
        "checks": sorted((str(each.name), _letters(each.sqltext)) for each in checks),
    }


async def test_the_revisions_make_exactly_the_declared_tables(database: Database) -> None:
    """Columns, types, keys, indexes and checks of the migrated database are those that the rooms declare."""
    dialect_name = database.dialect.name
    tables = declared(dialect_name)

    def compare(connection: Connection) -> None:
        version, schema = placed("alembic_version", dialect_name)
        found = {
            name for name in inspect(connection).get_table_names(schema) if not re.search(r"_(before|from)_\d+$", name)
        }
        assert found == {*tables, version}
        for name, table in tables.items():
            assert _shape_in_database(connection, name) == _shape_as_declared(connection, table), name

    async with database.read() as connection:
        await connection.run_sync(compare)
    await database.close()


def _dump(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def test_revisions_form_one_line() -> None:
    """There is one newest revision, and it is reached from nothing."""
    scripts = ScriptDirectory.from_config(alembic_config())
    assert len(scripts.get_heads()) == 1
    assert [revision.revision for revision in scripts.walk_revisions()][-1] == "0001"


def test_the_folder_does_not_shadow_the_library() -> None:
    """alembic/ has no __init__.py, so `import alembic` from the project's folder is the library."""
    assert not (ROOT / "alembic" / "__init__.py").exists()
    assert Path(sys.modules[Config.__module__].__file__ or "").is_relative_to(ROOT / "alembic") is False


def test_alembic_runs_by_hand(tmp_path: Path) -> None:
    """alembic.ini serves the command line, on the database that is named there."""
    path = tmp_path / "store.sqlite3"
    command = [sys.executable, "-m", "alembic", "-x", f"url=sqlite:///{path}", "upgrade", "head"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    assert any("crypto_price_tickers" in line for line in _dump(path))
    refused = subprocess.run([*command[:3], "upgrade", "head"], cwd=ROOT, capture_output=True, timeout=60, check=False)
    assert refused.returncode != 0
    assert b"Say which database" in refused.stderr
