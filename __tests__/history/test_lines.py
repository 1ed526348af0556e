"""Which lines a database may write, and what stands in them."""

import pytest

from cryptomarket.history.formats import Format
from cryptomarket.history.lines import SUMMARY, WHOLE_SUMMARY, Blank, line_of
from cryptomarket.market.instruments import Kind


@pytest.mark.parametrize(
    ("form", "kind", "chosen", "is_known"),
    [
        (Format.NDJSON, Kind.INDEX, None, True),
        (Format.NDJSON, Kind.PERPETUAL, None, True),
        (Format.NDJSON, Kind.PERPETUAL, ["price", "stats"], False),
        (Format.NDJSON, Kind.INDEX, ["price", "stats"], True),
        (Format.CSV, Kind.INDEX, None, True),
        (Format.CSV, Kind.OPTION, None, True),
        (Format.CSV, Kind.OPTION, ["bid_iv"], False),
        (Format.CSV, Kind.OPTION, ["price"], True),
        (Format.CSV, Kind.INDEX, ["greeks"], False),
        (Format.PARQUET, Kind.INDEX, None, True),
        (Format.ARROW, Kind.OPTION, None, True),
        (Format.ARROW, Kind.OPTION, ["bid_iv"], False),
    ],
)
def test_a_database_writes_what_it_has_as_columns(
    form: Format, kind: Kind, chosen: list[str] | None, *, is_known: bool
) -> None:
    """Promise: what lies inside of a summary is taken out by us, digit for digit: of CSV, where a line has it whole."""
    line = line_of(form, "X", kind, chosen)
    assert (line is not None) is is_known
    if line is not None:
        has_summary = any(
            isinstance(piece, Blank) and piece.column in (SUMMARY, WHOLE_SUMMARY) for piece in line.pieces
        )
        assert has_summary is (chosen is None and kind is not Kind.INDEX)


@pytest.mark.parametrize(
    ("ticker", "is_known"), [("BTC-PERPETUAL", True), ("-x", False), ('a"b', False), ("a,b", False)]
)
def test_columns_are_made_of_lines_without_quotes(ticker: str, *, is_known: bool) -> None:
    """Promise: what a cell of CSV spells otherwise than it is becomes no column's text."""
    assert (line_of(Format.PARQUET, ticker, Kind.SPOT, None) is not None) is is_known
    assert line_of(Format.CSV, ticker, Kind.SPOT, None) is not None


def test_a_name_is_written_as_its_format_wants_it() -> None:
    """Promise: constant pieces are escaped as the format's own writer does it."""
    name = '=1,"2"'
    csv = line_of(Format.CSV, name, Kind.INDEX, ["ticker", "kind"])
    json = line_of(Format.NDJSON, name, Kind.INDEX, ["ticker", "kind"])
    assert csv is not None
    assert json is not None
    assert (csv.pieces, csv.end) == (('"\'=1,""2""",index',), "\r\n")
    assert (json.pieces, json.end) == (('{"ticker":"=1,\\"2\\"","kind":"index"}',), "\n")


def test_a_line_of_one_empty_cell_is_still_a_line() -> None:
    """Promise: readers of CSV leave out lines without anything, so a single empty cell has quotes."""
    line = line_of(Format.CSV, "x", Kind.INDEX, ["price"])
    assert line is not None
    assert line.pieces == (Blank("price", absent='""'),)
