"""A row as a line of text, in pieces that a database can put together as well as we can, only faster."""

import csv
import io
import re
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import NamedTuple

from cryptomarket.db import merged
from cryptomarket.history.columns import Columns
from cryptomarket.history.formats import Format, harmless
from cryptomarket.history.rows import EVENT_FIELDS, PLACE_FIELDS
from cryptomarket.market.instruments import Kind
from cryptomarket.market.wire import encode

POSITION = "position"
SUMMARY = "summary"
WHOLE_SUMMARY = "whole_summary"
# Times as text, `spelled` and as ISO 8601 has them, and one in microseconds.
SPELLED = "spelled"
RECEIVED_AT = "received_at"
TIMESTAMP_US = "timestamp_us"
_FIELDS = PLACE_FIELDS + EVENT_FIELDS
_COLUMN_OF = {"timestamp": "timestamp_ms"}
COLUMNAR = frozenset({Format.PARQUET, Format.ARROW})
_BARE = re.compile(r"[0-9A-Za-z_][0-9A-Za-z_.-]*")
_TEXTS = frozenset({"source", POSITION})
_NULLABLE = frozenset({POSITION, "seq", "prev_seq", "price", "published_us"})


class Blank(NamedTuple):
    """Where a column is filled in: its text between two quotes, or `absent` where it is NULL; None is "never". `column`
    is one of price_tickers, or POSITION. SUMMARY is the rest of a JSON object that has begun.
    """

    column: str
    quote: str = ""
    absent: str | None = None


class Line(NamedTuple):
    """How the rows of one ticker are written: constant pieces, and blanks, and an `end` that is found nowhere within.

    `is_plain` is a line with prices that never have an exponent. Where there are `leaves`, the line ends with the whole
    summary, and its leaves of these names are still to be taken out of it.

    A row of another kind or name than the ticker's is none of these. An index has no summary (`Tick`), so its lines
    have no blank for one.
    """

    ticker: str
    kind: Kind
    pieces: tuple[str | Blank, ...]
    end: str
    is_plain: bool = False
    leaves: tuple[str, ...] = ()

    @property
    def has_moments(self) -> bool:
        """Whether the date of a row is written in it."""
        return any(isinstance(piece, Blank) and piece.column == SPELLED for piece in self.pieces)


def line_of(form: Format, ticker: str, kind: Kind, chosen: Collection[str] | None) -> Line | None:
    """The line of a ticker's row, None where only our own writers know how to write it. What columns are made of is
    lines of CSV.
    """
    return _line_of(form, ticker, kind, None if chosen is None else frozenset(chosen))


@lru_cache(maxsize=1024)
def _line_of(form: Format, ticker: str, kind: Kind, chosen: frozenset[str] | None) -> Line | None:
    names = [column.name for column in Columns(kind, chosen).columns]
    of_summary = [name for name in names if name not in _FIELDS]
    if form is Format.NDJSON and (chosen is None or not of_summary):
        return _json_line(ticker, kind, chosen)
    if form in COLUMNAR and not _BARE.fullmatch(ticker):
        # A cell of CSV would have quotes or an apostrophe.
        return None
    if form in (Format.CSV, *COLUMNAR) and (len(names) > 1 or (names and not of_summary)):
        return _csv_line(ticker, kind, [name for name in names if name in _FIELDS], of_summary)
    return None


@lru_cache(maxsize=1024)
def older_line(ticker: str, kind: Kind) -> Line:
    """A row of the older date filter: its time, and the event as it was streamed."""
    event = _json_line(ticker, kind, None, names=EVENT_FIELDS)
    pieces = tuple(merged(['"', Blank(SPELLED), '":', *event.pieces]))
    return event._replace(pieces=pieces)


@lru_cache(maxsize=1024)
def price_line(ticker: str, kind: Kind) -> Line:
    """A row as the first sibling service has it."""
    return _sibling_line(ticker, kind, Blank("price", absent="null"), "timestamp_ms")


@lru_cache(maxsize=1024)
def item_line(ticker: str, kind: Kind) -> Line:
    """A row as the second sibling service has it."""
    return _sibling_line(ticker, kind, Blank("price", '"', absent="null"), TIMESTAMP_US)._replace(is_plain=True)


def _sibling_line(ticker: str, kind: Kind, price: Blank, timestamp: str) -> Line:
    name = encode(ticker).decode()
    pieces: list[str | Blank] = ['{"id":', Blank("id"), f',"ticker":{name},"price":', price]
    pieces += [',"timestamp":', Blank(timestamp), ',"created_at":"', Blank(RECEIVED_AT), '"}']
    return Line(ticker, kind, tuple(merged(pieces)), "\n")


def _constants(ticker: str, kind: Kind) -> dict[str, str]:
    return {"ticker": ticker, "instrument_name": ticker, "kind": kind.value}


def _json_line(ticker: str, kind: Kind, chosen: Collection[str] | None, *, names: Sequence[str] = _FIELDS) -> Line:
    constants = _constants(ticker, kind)
    pieces: list[str | Blank] = []
    for name in names:
        if chosen is not None and name not in chosen:
            continue
        pieces.append(f"{',' if pieces else '{'}{encode(name).decode()}:")
        if name in constants:
            pieces.append(encode(constants[name]).decode())
        else:
            pieces.append(_blank(name, quote='"' if name in _TEXTS else "", absent="null"))
    whole = chosen is None and kind is not Kind.INDEX
    pieces.append(Blank(SUMMARY, absent="}") if whole else "}" if pieces else "{}")
    return Line(ticker, kind, tuple(merged(pieces)), "\n")


def _csv_line(ticker: str, kind: Kind, names: Sequence[str], leaves: Sequence[str]) -> Line:
    constants = _constants(ticker, kind)
    # A line of nothing at all would be no line, so the format has quotes there.
    absent = '""' if len(names) + len(leaves) == 1 else ""
    pieces: list[str | Blank] = []
    for name in names:
        if pieces:
            pieces.append(",")
        pieces.append(_csv_cell(constants[name]) if name in constants else _blank(name, quote="", absent=absent))
    if leaves:
        # Of the summary that is absent, all cells are.
        pieces += [*([","] if names else []), Blank(WHOLE_SUMMARY, absent="," * (len(leaves) - 1))]
    return Line(ticker, kind, tuple(merged(pieces)), "\r\n", leaves=tuple(leaves))


def _blank(name: str, *, quote: str, absent: str) -> Blank:
    return Blank(_COLUMN_OF.get(name, name), quote, absent if name in _NULLABLE else None)


def _csv_cell(text: str) -> str:
    into = io.StringIO(newline="")
    csv.writer(into).writerow([harmless(text)])
    return into.getvalue().removesuffix("\r\n")
