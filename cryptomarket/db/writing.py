"""Text that the database itself puts together, of constant pieces and of columns, for answers of many rows."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from enum import StrEnum
from functools import reduce
from operator import add
from typing import Any, NamedTuple, TypeVar
from typing import cast as cast_to

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Interval,
    Numeric,
    Text,
    and_,
    cast,
    func,
    literal,
    or_,
    true,
)

T = TypeVar("T")
_HOUR_S = 3600
# Below it, `str` of a Decimal has an exponent (docs.python.org, decimal, "to-scientific-string"), and PostgreSQL none.
_SMALLEST_PLAIN, _MOST_ZEROS = Decimal("0.000001"), 6


class Unit(StrEnum):
    """What a time is counted in."""

    MILLISECOND = "millisecond"
    MICROSECOND = "microsecond"

    @property
    def digits(self) -> int:
        """Of a second's fraction."""
        return 3 if self is Unit.MILLISECOND else 6

    @property
    def per_s(self) -> int:
        return int(10**self.digits)


class Digits(NamedTuple):
    """A whole number, not negative, with so many digits at least: zeros before it."""

    number: ColumnElement[int]
    width: int


Piece = str | ColumnElement[Any] | Digits


class Writing:
    """How a database writes text. PostgreSQL joins with ||; SQLite can, too, but fills in a format in half the time."""

    def __init__(self, *, is_sqlite: bool) -> None:
        self.is_sqlite = is_sqlite

    def joined(self, pieces: Sequence[Piece]) -> ColumnElement[str]:
        """A text of constant pieces and of columns, none of which is NULL."""
        if self.is_sqlite:
            values = [piece.number if isinstance(piece, Digits) else piece for piece in pieces]
            form = "".join(_mark(piece) for piece in pieces)
            return func.printf(_constant(form), *(value for value in values if not isinstance(value, str)))
        return reduce(add, (_text(piece) for piece in merged(pieces)))

    def shown(self, column: ColumnElement[Any], *, absent: str) -> ColumnElement[str]:
        """A column as text, `absent` where it is NULL."""
        if self.is_sqlite:
            return func.ifnull(column, _constant(absent))
        return func.coalesce(cast(column, Text), _constant(absent))

    def moment(
        self, column: ColumnElement[int], *, unit: Unit, form: str, day: ColumnElement[str] | None = None
    ) -> Sequence[Piece]:
        """A column of times since the epoch, none before it, as UTC, in pieces: its date, what `form` has between, its
        time to the unit, and what `form` has behind. `day` is the date of them all, where it is known.
        """
        between, behind = form.split("…")
        if self.is_sqlite:
            seconds, fraction = column.op("/")(unit.per_s), Digits(column.op("%")(unit.per_s), unit.digits)
            if day is None:
                moment = func.strftime(_constant(f"%Y-%m-%d{between}%H:%M:%S"), seconds, "unixepoch")
                return [moment, ".", fraction, behind]
            # Three times as quick as to find the date for each.
            hour, minute = seconds.op("/")(_HOUR_S).op("%")(24), seconds.op("/")(60).op("%")(60)
            clock: list[Piece] = [
                Digits(hour, 2),
                ":",
                Digits(minute, 2),
                ":",
                Digits(seconds.op("%")(60), 2),
                ".",
                fraction,
            ]
            return [day, between, *clock, behind]
        since = cast(_fixed("1970-01-01"), DateTime()) + column * cast(_fixed(f"1 {unit.value}"), Interval())
        digits = "MS" if unit is Unit.MILLISECOND else "US"
        return [func.to_char(since, _constant(f'YYYY-MM-DD"{between}"HH24:MI:SS.{digits}"{behind}"'))]

    def is_plain(self, price: ColumnElement[Any]) -> ColumnElement[bool]:
        """Whether the text of a Price has no exponent, as PostgreSQL's never has."""
        return func.ifnull(func.instr(price, "E"), 0) == 0 if self.is_sqlite else true()

    def is_spelled_alike(self, price: ColumnElement[Any]) -> ColumnElement[bool]:
        """Whether the text of a Price is what `str` makes of its Decimal. SQLite keeps what `str` has made."""
        if self.is_sqlite:
            return true()
        smallest, zero = (cast(_fixed(str(bound)), Numeric()) for bound in (_SMALLEST_PLAIN, 0))
        is_large = [price >= smallest, price <= -smallest]
        return or_(price.is_(None), *is_large, and_(price == zero, func.scale(price) <= _MOST_ZEROS))


def merged(pieces: Iterable[T]) -> list[T]:
    """The same pieces, texts that stand beside each other as one."""
    told: list[T] = []
    for piece in pieces:
        last = told[-1] if told else None
        if isinstance(piece, str) and isinstance(last, str):
            told[-1] = cast_to("T", last + piece)
        else:
            told.append(piece)
    return told


def _mark(piece: Piece) -> str:
    """What stands for a piece in SQLite's format."""
    if isinstance(piece, str):
        return piece.replace("%", "%%")
    return f"%0{piece.width}d" if isinstance(piece, Digits) else "%s"


def _text(piece: Piece) -> ColumnElement[str]:
    """A piece as PostgreSQL has it."""
    if isinstance(piece, str):
        return _constant(piece)
    if isinstance(piece, Digits):
        digits = cast(piece.number, Text)
        # It would cut off what is longer.
        return func.lpad(digits, func.greatest(piece.width, func.length(digits)), "0")
    return cast(piece, Text)


def bound_together(column: ColumnElement[Any], separator: str) -> ColumnElement[str]:
    """The texts of all rows as one, in the order of the rows that are selected from."""
    return func.aggregate_strings(column, separator)


def _constant(text: str) -> ColumnElement[str]:
    return literal(text, Text())


def _fixed(text: str) -> ColumnElement[str]:
    """A constant that is to be read as another type: as a part of the question, since a value that is given with it is
    read anew for each row.
    """
    return literal(text, Text(), literal_execute=True)
