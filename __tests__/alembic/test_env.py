import importlib
import importlib.util
import pkgutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, Connection, Table, UniqueConstraint, inspect

import cryptomarket
from cryptomarket.db import Database, metadata, migrate, placed
from cryptomarket.db.migration import alembic_config

ROOT = Path(cryptomarket.__file__).resolve().parent.parent


def declared() -> dict[str, Table]:
    """Every table that a room declares, as SQLite calls it."""
    for room in pkgutil.iter_modules(cryptomarket.__path__, "cryptomarket."):
        if room.ispkg and importlib.util.find_spec(f"{room.name}.tables"):
            importlib.import_module(f"{room.name}.tables")
    return {placed(table.name, "sqlite")[0]: table for table in metadata.tables.values()}


@pytest.fixture
async def database(tmp_path: Path) -> Database:
    url = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    await migrate(url)
    return Database(url)


def _shape_in_database(connection: Connection, name: str) -> dict[str, object]:
    inspector = inspect(connection)
    return {
        "columns": [
            (column["name"], type(column["type"]).__name__.upper(), column["nullable"])
            for column in inspector.get_columns(name)
        ],
        "key": (inspector.get_pk_constraint(name)["name"], inspector.get_pk_constraint(name)["constrained_columns"]),
        "unique": sorted((each["name"], each["column_names"]) for each in inspector.get_unique_constraints(name)),
        "indexes": sorted((each["name"], each["column_names"]) for each in inspector.get_indexes(name)),
        "checks": sorted((each["name"], each["sqltext"]) for each in inspector.get_check_constraints(name)),
    }


def _shape_as_declared(connection: Connection, table: Table) -> dict[str, object]:
    unique = [each for each in table.constraints if isinstance(each, UniqueConstraint)]
    checks = [each for each in table.constraints if isinstance(each, CheckConstraint)]
    return {
        "columns": [
            (column.name, column.type.compile(dialect=connection.dialect).upper(), column.nullable)
            for column in table.columns
        ],
        "key": (table.primary_key.name, [column.name for column in table.primary_key.columns]),
        "unique": sorted((str(each.name), [column.name for column in each.columns]) for each in unique),
        "indexes": sorted((str(each.name), [column.name for column in each.columns]) for each in table.indexes),
        "checks": sorted((str(each.name), str(each.sqltext)) for each in checks),
    }


async def test_the_revisions_make_exactly_the_declared_tables(database: Database) -> None:
    """Columns, types, keys, indexes and checks of the migrated database are those that the rooms declare."""
    tables = declared()

    def compare(connection: Connection) -> None:
        assert set(inspect(connection).get_table_names()) == {*tables, "crypto_alembic_version"}
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
