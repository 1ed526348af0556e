"""Lines from columns, for a database that is slow to join texts: each column of many rows comes as one text.

PostgreSQL makes a new text at each ||, and a line has a dozen of them; it takes two thirds of the time to tell columns,
which are a third of the bytes. To put them together here takes a fifth of a microsecond a line.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import Connection, and_, case, func, select

from cryptomarket.db import Piece, Prepared, Writing, bound_together, merged
from cryptomarket.history.cursors import Cursor, Order
from cryptomarket.history.keyset_repository import Passed
from cryptomarket.history.lines import Blank, Line
from cryptomarket.history.pieces_repository import PLAIN, Place, filled, like
from cryptomarket.history.tables import price_tickers
from cryptomarket.history.windows_repository import ROWS, Ahead, Window, Written, before, given, passed_of, within
from cryptomarket.market.instruments import Kind
from cryptomarket.market.ticks import Source

_row = price_tickers.c
# The control character between units (ECMA-48, US), which JSON writes otherwise; and what stands for the epoch, which
# is only known with the rows.
_BETWEEN, _EPOCH = "\x1f", "\x00"


class _Form(NamedTuple):
    """What a statement is made for, once: not for each ticker, whose name is one of its values."""

    writing: Writing
    blanks: frozenset[Blank]
    kind: Kind
    is_plain: bool
    order: Order
    has_source: bool
    passed: Passed | None


class _Template(NamedTuple):
    """A statement, and what blanks are filled with: constant pieces, and places of columns in its answer."""

    statement: Prepared
    cells: Mapping[Blank, Sequence[str | int]]


def lines_from_columns(
    connection: Connection, writing: Writing, asked: Cursor, left: Window, line: Line, *, rows: int, begun: bool = False
) -> Ahead | None:
    """The next window of at most `rows` rows and its lines, by one question, of all sources or of the stream; None
    where rows share a millisecond, so that a window might end within one, or where one of them is not such a line.
    """
    blanks = frozenset(piece for piece in line.pieces if isinstance(piece, Blank))
    passed, has_source = passed_of(asked, begun=begun), asked.source is not None
    template = _template(_Form(writing, blanks, line.kind, line.is_plain, asked.order, has_source, passed))
    count, such, epoch, other_epoch, *texts = template.statement.one(connection, given(asked, left, rows + 1))
    if count == 0:
        return Ahead(left, is_more=False, written=Written("", 0))
    if not (count == such and epoch == other_epoch and PLAIN.fullmatch(epoch or "")):
        return None
    columns = [text.split(_BETWEEN) for text in texts]
    times = columns[0]
    if len(set(times)) != count or any(len(column) != count for column in columns):
        return None
    kept = min(rows, count)
    written = Written(_put_together(_cells(line, template, epoch or ""), columns, kept, line.end), kept)
    is_more = count > rows
    return Ahead(before(int(times[-1]), left, asked.order) if is_more else left, is_more, written)


def _cells(line: Line, template: _Template, epoch: str) -> Sequence[str | int]:
    """What a row is made of: constant pieces, and places of columns."""
    cells: list[str | int] = []
    for piece in line.pieces:
        cells += [piece] if isinstance(piece, str) else template.cells[piece]
    return [cell.replace(_EPOCH, epoch) if isinstance(cell, str) else cell for cell in merged(cells)]


def _put_together(cells: Sequence[str | int], columns: Sequence[Sequence[str]], rows: int, end: str) -> str:
    """Rows of these cells, `end` between them."""
    width = len(cells) + 1
    texts = [end] * (width * rows)
    for place, cell in enumerate(cells):
        texts[place::width] = [cell] * rows if isinstance(cell, str) else columns[cell][:rows]
    texts.pop()
    return "".join(texts)


@lru_cache(maxsize=1024)
def _template(form: _Form) -> _Template:
    place = Place(_source_of(form), _EPOCH)
    # The first column is the time, whether it is told or not.
    columns: list[Piece] = [_row.timestamp_ms]

    def place_of(piece: Piece) -> int:
        for at, column in enumerate(columns):
            if column is piece:
                return at
        columns.append(piece)
        return len(columns) - 1

    cells = {
        blank: [piece if isinstance(piece, str) else place_of(piece) for piece in filled(form.writing, blank, place)]
        for blank in form.blanks
    }
    return _Template(_statement(form, columns), cells)


def _source_of(form: _Form) -> str | None:
    """What all rows are of; those of a question that names no source are of several, as a rule."""
    return Source.STREAM.value if form.has_source else None


def _statement(form: _Form, columns: Sequence[Piece]) -> Prepared:
    """Rows, how many of them are such lines, the epoch, twice if all have one, and each column as a text."""
    # Judged row by row, and not left out: PostgreSQL would guess that hardly any remain, and fetch and sort them.
    such = and_(*like(form.writing, form.kind, _source_of(form), is_plain=form.is_plain))
    told = [form.writing.joined([piece]).label(f"column_{at}") for at, piece in enumerate(columns)]
    wanted = select(case((such, 1)).label("is_such"), _row.epoch, *told)
    wanted = wanted.where(*within(has_source=form.has_source, passed=form.passed))
    key = _row.timestamp_ms if form.order == "asc" else _row.timestamp_ms.desc()
    rows = wanted.order_by(key).limit(ROWS).subquery().columns
    return Prepared(
        select(
            func.count(),
            func.count(rows.is_such),
            func.min(rows.epoch),
            func.max(rows.epoch),
            *(bound_together(rows[column.name], _BETWEEN) for column in told),
        )
    )
