"""Many rows into SQLite by few statements.

Python's driver lets go of the interpreter for each statement, and with `executemany` for each row; to take it back, it
waits for up to five milliseconds while another thread is busy (sys.setswitchinterval). A gateway with a full core would
then store a few hundred rows a second, whatever the database could.
"""

from collections.abc import Iterator, Sequence
from functools import cache

from sqlalchemy import Table
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Dialect

# So few that each is prepared once. None may have more than 32,766 values (sqlite.org/limits.html).
_SIZES = (1000, 250, 50, 10, 2, 1)


def statements(
    table: Table, columns: tuple[str, ...], rows: Sequence[tuple[object, ...]], dialect: Dialect
) -> Iterator[tuple[str, tuple[object, ...]]]:
    """Statements and their values, which insert `rows` but for those that are there already by a unique key."""
    at = 0
    for size in _SIZES:
        while len(rows) - at >= size:
            values = tuple(value for row in rows[at : at + size] for value in row)
            yield _text(table, columns, size, dialect), values
            at += size


@cache
def _text(table: Table, columns: tuple[str, ...], size: int, dialect: Dialect) -> str:
    statement = sqlite.insert(table).on_conflict_do_nothing()
    of_one = str(statement.compile(dialect=dialect, column_keys=list(columns)))
    marks = f"({', '.join('?' * len(columns))})"
    return of_one.replace(marks, ", ".join([marks] * size))
