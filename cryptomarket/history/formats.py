"""How bulk answers are written: line by line here, by columns in `columnar`."""

import csv
import io
import re
from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

from cryptomarket.history.columns import Cell, CellKind, Columns
from cryptomarket.history.rows import Row, chosen_json, row_json
from cryptomarket.market.wire import encode


class Format(StrEnum):
    """How an answer is written. All but JSON are bulk formats: the whole range in one answer."""

    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    PARQUET = "parquet"
    ARROW = "arrow"


# IANA's names, but for NDJSON, which has none.
MEDIA_TYPES = {
    Format.JSON: "application/json",
    Format.NDJSON: "application/x-ndjson",
    Format.CSV: "text/csv",
    Format.PARQUET: "application/vnd.apache.parquet",
    Format.ARROW: "application/vnd.apache.arrow.stream",
}
_FORMAT_OF = {media_type: form for form, media_type in MEDIA_TYPES.items()} | {"application/ndjson": Format.NDJSON}
# RFC 9110, 12.4.2.
_QUALITY = re.compile(r"0(\.\d{0,3})?|1(\.0{0,3})?", re.ASCII)
# What spreadsheets take for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def format_of(accept: str) -> Format:
    """The format that a header `Accept` wants most (RFC 9110, 12.5.1), of equal ones the first; JSON for whoever takes
    anything, or nothing that there is.
    """
    wanted: dict[str, float] = {}
    for part in accept.split(","):
        media_type, *parameters = (piece.strip().lower() for piece in part.split(";"))
        wanted.setdefault(media_type, _quality(parameters))
    refused = {_FORMAT_OF.get(media_type) for media_type, quality in wanted.items() if not quality}
    best, best_quality = Format.JSON, 0.0
    for media_type, quality in wanted.items():
        form = next((each for each in _meant_by(media_type) if each not in refused), None)
        if form is not None and quality > best_quality:
            best, best_quality = form, quality
    return best


def _meant_by(media_type: str) -> Sequence[Format]:
    """What a media type, or a range of them, stands for, in the order of liking."""
    if media_type == "*/*":
        return tuple(Format)
    if media_type.endswith("/*"):
        return [form for form in Format if MEDIA_TYPES[form].startswith(media_type[:-1])]
    return [_FORMAT_OF[media_type]] if media_type in _FORMAT_OF else ()


def _quality(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            return float(value) if _QUALITY.fullmatch(value.strip()) else 0.0
    return 1.0


class Trailer(NamedTuple):
    """What is known of a bulk answer at its end: its rows, the SHA-256 of all bytes before the trailer, and whether
    everything of the range was heard.
    """

    rows: int
    sha256: str
    complete: bool


class NoRoom(ValueError):
    """A number has more digits than the format has room for: it is told as no other one."""


class RowWriter(Protocol):
    """Writes rows piece by piece: `begin`, `rows` and `lines` any number of times, `rest`, `end`. Each returns the
    bytes that are ready, maybe none. Raises NoRoom.
    """

    def begin(self) -> bytes: ...

    def rows(self, rows: Sequence[Row]) -> bytes: ...

    def lines(self, text: bytes, rows: int) -> bytes:
        """So many rows that the database has written as lines already, see `line_of`."""
        ...

    def rest(self) -> bytes:
        """Whatever was held back: the last bytes before the trailer."""
        ...

    def end(self, trailer: Trailer) -> bytes: ...


class NdjsonWriter:
    """A row a line, as pages have them; the last line is `{"trailer": …}`."""

    def __init__(self, chosen: Collection[str] | None) -> None:
        self._chosen = chosen

    def begin(self) -> bytes:
        return b""

    def rows(self, rows: Sequence[Row]) -> bytes:
        if self._chosen is None:
            lines = [row_json(row) for row in rows]
        else:
            lines = [chosen_json(row, self._chosen) for row in rows]
        return b"\n".join((*lines, b"")) if lines else b""

    def lines(self, text: bytes, rows: int) -> bytes:
        return text

    def rest(self) -> bytes:
        return b""

    def end(self, trailer: Trailer) -> bytes:
        return encode({"trailer": trailer._asdict()}) + b"\n"


class CsvWriter:
    """RFC 4180, with a line of names. Numbers are their own digits, nothing is an empty cell, and a text that a
    spreadsheet would take for a formula has an apostrophe before it. It has no trailer.
    """

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._texts = [index for index, column in enumerate(columns.columns) if column.kind is CellKind.TEXT]

    def begin(self) -> bytes:
        return _lines([tuple(column.name for column in self._columns.columns)])

    def rows(self, rows: Sequence[Row]) -> bytes:
        cells = self._columns.cells
        return _lines([cells(row) for row in rows] if not self._texts else [self._harmless(cells(row)) for row in rows])

    def _harmless(self, cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
        for index in self._texts:
            text = cells[index]
            if text and str(text).startswith(_FORMULA):
                line = list(cells)
                for each in self._texts:
                    line[each] = harmless(line[each])
                return tuple(line)
        return cells

    def lines(self, text: bytes, rows: int) -> bytes:
        return text

    def rest(self) -> bytes:
        return b""

    def end(self, trailer: Trailer) -> bytes:
        return b""


def harmless(text: Cell) -> Cell:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if isinstance(text, str) and text.startswith(_FORMULA) else text


def _lines(lines: Sequence[Sequence[Cell]]) -> bytes:
    into = io.StringIO(newline="")
    csv.writer(into).writerows(lines)
    return into.getvalue().encode()
