"""Questions that are asked often: made and compiled once.

What SQLAlchemy does around each of them (its key in the cache of statements, contexts, events, results) takes 40 to 150
microseconds with the interpreter held. SQLite answers most of them in six without, PostgreSQL in fifty. So SQLite's
driver is asked itself, and PostgreSQL's by the library with a text that needs nothing done to it: what is left of its
work is what a connection wants that may break off, or whose statements may grow stale.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import CompoundSelect, Connection, Select
from sqlalchemy.engine import Dialect


class _Compiled(NamedTuple):
    """A text with marks, which value stands at each of them, and the values that are always the same."""

    text: str
    names: Sequence[str]
    constants: Mapping[str, Any]


class Prepared:
    """A SELECT whose values have names (`bindparam`). Its answers are tuples of what the driver makes of columns. A
    type of our own among them, such as Price, is refused with TypeError when it is asked first.
    """

    def __init__(self, statement: Select[*tuple[Any, ...]] | CompoundSelect[*tuple[Any, ...]]) -> None:
        self._statement = statement
        self._compiled: dict[str, _Compiled] = {}

    def all(self, connection: Connection, given: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
        """All rows, for values by name. Those that the statement does not have are ignored; KeyError for one that is
        missing. Trouble with SQLite is told as its driver has it, trouble with PostgreSQL as the library has it.
        """
        dialect = connection.dialect
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = self._compiled[dialect.name] = self._compile(dialect)
        values = [given[name] if name in given else compiled.constants[name] for name in compiled.names]
        if dialect.name == "sqlite":
            driver: Any = connection.connection.driver_connection
            found: list[tuple[Any, ...]] = driver.execute(compiled.text, values).fetchall()
            return found
        return connection.exec_driver_sql(compiled.text, tuple(values)).all()

    def one(self, connection: Connection, given: Mapping[str, Any]) -> tuple[Any, ...]:
        """The row of a question that always has one."""
        (found,) = self.all(connection, given)
        return found

    def _compile(self, dialect: Dialect) -> _Compiled:
        compiled = self._statement.compile(dialect=dialect)
        wanted = [value.key for value in compiled.binds.values() if value.required]
        stated = compiled.construct_expanded_state(dict.fromkeys(wanted))
        values = [value.type.dialect_impl(dialect) for value in compiled.binds.values()]
        columns = [column.type.dialect_impl(dialect) for column in self._statement.selected_columns]
        made = [kind.bind_processor(dialect) for kind in values]
        if any(made) or any(kind.result_processor(dialect, None) for kind in columns):
            raise TypeError("a value or a column of this question is not as the driver has it")
        constants = {name: value for name, value in stated.parameters.items() if name not in wanted}
        return _Compiled(stated.statement, tuple(stated.positiontup or ()), constants)
