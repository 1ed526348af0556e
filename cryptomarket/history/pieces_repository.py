"""What a line is made of in SQL: its pieces, and what holds for rows that can be written so."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Text, bindparam, case, func, literal, or_

from cryptomarket.db import Piece, Unit, Writing
from cryptomarket.history.lines import Blank, Line
from cryptomarket.history.tables import price_tickers
from cryptomarket.market.instruments import Kind
from cryptomarket.market.ticks import Source

_row = price_tickers.c
# What may stand between quotes, and in a cell, as it is.
PLAIN = re.compile(r"[0-9A-Za-z]*")


class Place(NamedTuple):
    """What all rows of a window have in common: the source, unless they have several, and the epoch of those that
    have one.
    """

    source: str | None
    epoch: str | None
    has_one_day: bool = False


def of_place(place: Place) -> ColumnElement[bool]:
    """What holds for rows of a place."""
    without = _row.epoch.is_(None)
    if place.epoch is None:
        return without
    return or_(_row.epoch == place.epoch, without) if place.source is None else _row.epoch == place.epoch


def like(writing: Writing, kind: Kind, source: str | None, *, is_plain: bool) -> list[ColumnElement[bool]]:
    """What holds for rows of an instrument of this kind, of the question's ticker, that can be written so."""
    return [
        _row.instrument_name == bindparam("ticker"),
        _row.kind == kind.value,
        _row.source.in_([each.value for each in Source]) if source is None else _row.source == source,
        writing.is_plain(_row.price) if is_plain else writing.is_spelled_alike(_row.price),
    ]


def pieces_of(writing: Writing, line: Line, place: Place) -> list[Piece]:
    """The line of such a row: constants, and what is to be read of it."""
    pieces: list[Piece] = []
    for piece in line.pieces:
        pieces += [piece] if isinstance(piece, str) else filled(writing, piece, place)
    return pieces


def filled(writing: Writing, blank: Blank, place: Place) -> Sequence[Piece]:
    """What a blank is filled with."""
    quote, absent = blank.quote, blank.absent or ""
    match blank.column:
        case "source":
            return [quote, _row.source if place.source is None else place.source, quote]
        case "position" | "seq" if place.epoch is None:
            return [absent]
        case "position" if place.epoch is not None and place.source is None:
            position = writing.joined([quote, _row.epoch, "-", _row.seq, quote])
            return [case((_row.epoch.is_(None), literal(absent)), else_=position)]
        case "position" if place.epoch is not None:
            return [quote, place.epoch, "-", _row.seq, quote]
        case "summary":
            rest = writing.joined([",", func.substr(_row.summary, 2)])
            return [case((_row.summary.is_(None), literal(absent)), else_=rest)]
        case "whole_summary":
            return [writing.shown(_row.summary, absent=absent)]
        case "seq" if place.source is not None:
            return [_row.seq]
        case "spelled":
            day = bindparam("day", type_=Text()) if place.has_one_day else None
            return writing.moment(_row.timestamp_ms, unit=Unit.MILLISECOND, form=" …", day=day)
        case "received_at":
            return writing.moment(_row.received_us, unit=Unit.MICROSECOND, form="T…+00:00")
        case "timestamp_us":
            return [_row.timestamp_ms * 1000]
        case "price" if quote:
            quoted = writing.joined([quote, _row.price, quote])
            return [case((_row.price.is_(None), literal(absent)), else_=quoted)]
    column = _row[blank.column]
    return [writing.shown(column, absent=absent) if blank.absent is not None else column]
