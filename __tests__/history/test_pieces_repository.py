"""The pieces of a line: constants where all rows say the same, columns where they differ."""

import pytest

from cryptomarket.db import Writing
from cryptomarket.history.formats import Format
from cryptomarket.history.lines import line_of
from cryptomarket.history.pieces_repository import Place, like, pieces_of
from cryptomarket.history.tables import price_tickers
from cryptomarket.market.instruments import Kind


@pytest.mark.parametrize("is_sqlite", [True, False])
def test_what_all_rows_share_is_a_constant(*, is_sqlite: bool) -> None:
    """Promise: source and epoch of a window are written into its lines; a row outside the stream has no position."""
    line = line_of(Format.NDJSON, "x", Kind.INDEX, ["source", "position", "seq"])
    assert line is not None
    writing = Writing(is_sqlite=is_sqlite)
    streamed = pieces_of(writing, line, Place("stream", "e1"))
    assert "".join(each if isinstance(each, str) else "#" for each in streamed) == (
        '{"source":"stream","position":"e1-#","seq":#}'
    )
    assert [each for each in streamed if not isinstance(each, str)] == [price_tickers.c.seq] * 2
    collected = pieces_of(writing, line, Place("collected", None))
    assert "".join(map(str, collected)) == '{"source":"collected","position":null,"seq":null}'


def test_only_rows_of_the_instrument_are_such() -> None:
    """Promise: a row is written so only if its instrument, its kind and its source are those that are asked for."""
    conditions = like(Writing(is_sqlite=True), Kind.INDEX, "stream", is_plain=False)
    asked = {str(each.compile().statement): each.compile().params for each in conditions}
    told = {name: value for values in asked.values() for name, value in values.items()}
    assert {"index", "stream"} <= set(told.values())
    assert "ticker" in told
