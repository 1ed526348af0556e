"""A row as a flat line of cells, for formats that know tables alone: `stats.high` is the field `high` of `stats`."""

from collections.abc import Callable, Collection
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import StrEnum
from operator import attrgetter, itemgetter
from typing import NamedTuple, get_type_hints

from cryptomarket.history.rows import EVENT_FIELDS, PLACE_FIELDS, Row
from cryptomarket.market.instruments import Kind
from cryptomarket.market.ticks import SUMMARY_OF_KIND
from cryptomarket.market.wire import decode_summary

Cell = str | int | Decimal | None


class CellKind(StrEnum):
    """What stands in a column, if anything."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"


class Column(NamedTuple):
    name: str
    kind: CellKind


_HEAD_KINDS = {"price": CellKind.DECIMAL} | dict.fromkeys(
    ("seq", "prev_seq", "timestamp", "received_us", "published_us"), CellKind.INTEGER
)
_HEAD = tuple(Column(name, _HEAD_KINDS.get(name, CellKind.TEXT)) for name in PLACE_FIELDS + EVENT_FIELDS)


def _columns_of(type_: type, prefix: str = "") -> list[Column]:
    found = []
    hints = get_type_hints(type_)
    for field in fields(type_):
        hint, name = hints[field.name], prefix + field.name
        if is_dataclass(hint) and isinstance(hint, type):
            found += _columns_of(hint, f"{name}.")
        else:
            found.append(Column(name, CellKind.DECIMAL if hint == Decimal | None else CellKind.TEXT))
    return found


class Columns:
    """The columns of tickers of one kind, or those of them that are chosen by the names of fields: `stats` stands for
    all that lies in it.
    """

    def __init__(self, kind: Kind, chosen: Collection[str] | None = None) -> None:
        self._kind = kind
        of_summary = _columns_of(SUMMARY_OF_KIND[kind]) if kind in SUMMARY_OF_KIND else []
        whole = [*_HEAD, *of_summary]
        at = [
            index
            for index, column in enumerate(whole)
            if chosen is None or column.name in chosen or column.name.partition(".")[0] in chosen
        ]
        self.columns = tuple(whole[index] for index in at)
        self._none = (None,) * len(of_summary)
        self._summary: Callable[[object], tuple[Cell, ...]] | None = (
            attrgetter(*(column.name for column in of_summary)) if of_summary else None
        )
        self._pick = _picker(at, len(whole))

    def cells(self, row: Row) -> tuple[Cell, ...]:
        """The cells of a row, in the order of the columns."""
        place = None if row.epoch is None else f"{row.epoch}-{row.seq}"
        head = (row.source, place, row.seq, row.prev_seq, *row[5:12])
        if self._summary is None:
            return self._pick(head)
        if row.summary is None:
            return self._pick(head + self._none)
        return self._pick(head + self._summary(decode_summary(self._kind, row.summary)))


def _picker(at: list[int], width: int) -> Callable[[tuple[Cell, ...]], tuple[Cell, ...]]:
    if len(at) == width:
        return lambda cells: cells
    if len(at) > 1:
        return itemgetter(*at)
    return lambda cells: tuple(cells[index] for index in at)
