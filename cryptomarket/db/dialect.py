"""SQLite, with the schema's name as a prefix of each table's."""

from typing import Any

from sqlalchemy import FromClause
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler, SQLiteIdentifierPreparer
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from cryptomarket.db.columns import SCHEMA

DRIVER = "sqlite+prefixed"
THREAD_DRIVER = "sqlite+prefixed_here"


class _PrefixPreparer(SQLiteIdentifierPreparer):
    def format_table(self, table: FromClause, use_schema: bool = True, name: str | None = None) -> str:
        plain = super().format_table(table, use_schema=False, name=name)
        schema = self.schema_for_object(table)
        return f"{schema}_{plain}" if schema else plain


def _prefixed(name: str) -> str:
    return name.replace(".", "_", 1) if name.startswith(f"{SCHEMA}.") else name


class _PrefixCompiler(SQLiteCompiler):
    # The library's own signatures are long, and passed on unread.
    def visit_column(self, column: Any, *args: Any, **kwargs: Any) -> str:  # noqa: ANN401
        return _prefixed(super().visit_column(column, *args, **kwargs))

    def visit_table(self, table: Any, *args: Any, **kwargs: Any) -> str:  # noqa: ANN401
        return _prefixed(super().visit_table(table, *args, **kwargs))  # type: ignore[no-untyped-call]


class PrefixedSQLite(SQLiteDialect_aiosqlite):
    """SQLite by aiosqlite, with the schema's name as a prefix of the table's."""

    supports_statement_cache = True
    preparer = _PrefixPreparer
    statement_compiler = _PrefixCompiler


class PrefixedSQLiteHere(SQLiteDialect_pysqlite):
    """The same for whoever asks from a thread of his own, by the standard library."""

    supports_statement_cache = True
    preparer = _PrefixPreparer
    statement_compiler = _PrefixCompiler


registry.register(THREAD_DRIVER.replace("+", "."), __name__, PrefixedSQLiteHere.__name__)
registry.register(DRIVER.replace("+", "."), __name__, PrefixedSQLite.__name__)
