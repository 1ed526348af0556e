"""Lines woven from columns, for a database that is slow to join texts: each column of many rows comes as one text.

PostgreSQL makes a new text at each ||, and a line has a dozen of them; it takes two thirds of the time to tell columns,
which are a third of the bytes. To weave them here takes a fifth of a microsecond a line.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import Connection, and_, case, func, select

from cryptomarket.db import Piece, Prepared, Writing, bound_together
from cryptomarket.history.cursors import Cursor, Order
from cryptomarket.history.keyset_repository import Passed
from cryptomarket.history.lines import Line
from cryptomarket.history.pieces_repository import PLAIN, Place, like, pieces_of
from cryptomarket.history.tables import price_tickers
from cryptomarket.history.windows_repository import ROWS, Ahead, Window, Written, before, given, passed_of, within
from cryptomarket.market.ticks import Source

_row = price_tickers.c
# The control character between units (ECMA-48, US), which JSON writes otherwise; and what stands for the epoch, which
# is only known with the rows.
_BETWEEN, _EPOCH = "\x1f", "\x00"


class _Kind(NamedTuple):
    """What a statement is made for, once."""

    writing: Writing
    line: Line
    order: Order
    has_source: bool
    passed: Passed | None


class _Loom(NamedTuple):
    """A statement, and what its rows are woven of: a constant piece, or the place of a column in its answer."""

    statement: Prepared
    warp: Sequence[str | int]


def woven(
    connection: Connection, writing: Writing, asked: Cursor, left: Window, line: Line, *, rows: int, begun: bool = False
) -> Ahead | None:
    """The next window of at most `rows` rows and its lines, by one question, of rows of the stream alone; None where
    rows share a millisecond, so that a window might end within one, or where one of them is not such a line.
    """
    kind = _Kind(writing, line, asked.order, asked.source is not None, passed_of(asked, begun=begun))
    loom = _loom(kind)
    count, such, epoch, other_epoch, *texts = loom.statement.one(connection, given(asked, left, rows + 1))
    if count == 0:
        return Ahead(left, is_more=False, written=Written("", 0))
    if not (count == such and epoch == other_epoch and PLAIN.fullmatch(epoch)):
        return None
    columns = [text.split(_BETWEEN) for text in texts]
    times = columns[0]
    if len(set(times)) != count or any(len(column) != count for column in columns):
        return None
    kept = min(rows, count)
    warp = [piece.replace(_EPOCH, epoch) if isinstance(piece, str) else columns[piece][:kept] for piece in loom.warp]
    written = Written(_weave(warp, kept, line.end), kept)
    is_more = count > rows
    return Ahead(before(int(times[-1]), left, asked.order) if is_more else left, is_more, written)


def _weave(warp: Sequence[str | Sequence[str]], rows: int, end: str) -> str:
    """Constants and columns in turn, `end` between rows."""
    width = len(warp) + 1
    cells = [end] * (width * rows)
    for place, piece in enumerate(warp):
        cells[place::width] = [piece] * rows if isinstance(piece, str) else piece
    cells.pop()
    return "".join(cells)


@lru_cache(maxsize=1024)
def _loom(kind: _Kind) -> _Loom:
    place = Place(Source.STREAM.value, _EPOCH)
    # Judged row by row, and not left out: PostgreSQL would guess that hardly any remain, and fetch and sort them.
    is_such = case((and_(*like(kind.writing, kind.line, place.source)), 1)).label("is_such")
    told: list[Piece] = [_row.timestamp_ms]
    warp: list[str | int] = []
    for piece in pieces_of(kind.writing, kind.line, place):
        if isinstance(piece, str):
            warp.append(piece)
            continue
        known = [at for at, other in enumerate(told) if other is piece]
        warp.append(known[0] if known else len(told))
        told += [] if known else [piece]
    cells = [kind.writing.joined([piece]).label(f"cell_{at}") for at, piece in enumerate(told)]
    is_asc = kind.order == "asc"
    wanted = select(is_such, _row.epoch, *cells).where(*within(has_source=kind.has_source, passed=kind.passed))
    rows = wanted.order_by(_row.timestamp_ms if is_asc else _row.timestamp_ms.desc()).limit(ROWS).subquery().columns
    statement = select(
        func.count(),
        func.count(rows.is_such),
        func.min(rows.epoch),
        func.max(rows.epoch),
        *(bound_together(rows[cell.name], _BETWEEN) for cell in cells),
    )
    return _Loom(Prepared(statement), _merged(warp))


def _merged(warp: Sequence[str | int]) -> Sequence[str | int]:
    merged: list[str | int] = []
    for piece in warp:
        if isinstance(piece, str) and merged and isinstance(merged[-1], str):
            merged[-1] += piece
        else:
            merged.append(piece)
    return merged
