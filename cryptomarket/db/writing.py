"""Text that the database itself puts together, of constant pieces and of columns, for answers of many rows."""

from collections.abc import Sequence
from decimal import Decimal
from functools import reduce
from operator import add
from typing import Any

from sqlalchemy import ColumnElement, Numeric, Text, and_, cast, func, literal, or_, true

# Below it, `str` of a Decimal has an exponent (docs.python.org, decimal, "to-scientific-string"), and PostgreSQL none.
_SMALLEST_PLAIN, _MOST_ZEROS = Decimal("0.000001"), 6


class Writing:
    """How a database writes text. PostgreSQL joins with ||; SQLite can, too, but fills in a format in half the time."""

    def __init__(self, *, is_sqlite: bool) -> None:
        self._is_sqlite = is_sqlite

    def joined(self, pieces: Sequence[str | ColumnElement[Any]]) -> ColumnElement[str]:
        """A text of constant pieces and of columns, none of which is NULL."""
        if self._is_sqlite:
            form = "".join(piece.replace("%", "%%") if isinstance(piece, str) else "%s" for piece in pieces)
            return func.printf(_constant(form), *(piece for piece in pieces if not isinstance(piece, str)))
        return reduce(add, (_constant(piece) if isinstance(piece, str) else cast(piece, Text) for piece in pieces))

    def shown(self, column: ColumnElement[Any], *, absent: str) -> ColumnElement[str]:
        """A column as text, `absent` where it is NULL."""
        if self._is_sqlite:
            return func.ifnull(column, _constant(absent))
        return func.coalesce(cast(column, Text), _constant(absent))

    def is_spelled_alike(self, price: ColumnElement[Any]) -> ColumnElement[bool]:
        """Whether the text of a Price is what `str` makes of its Decimal. SQLite keeps what `str` has made."""
        if self._is_sqlite:
            return true()
        is_large = func.abs(price) >= literal(_SMALLEST_PLAIN, Numeric())
        return or_(price.is_(None), is_large, and_(price == literal(0), func.scale(price) <= _MOST_ZEROS))


def bound_together(column: ColumnElement[Any], separator: str) -> ColumnElement[str]:
    """The texts of all rows as one, in the order of the rows that are selected from."""
    return func.aggregate_strings(column, separator)


def _constant(text: str) -> ColumnElement[str]:
    return literal(text, Text())
