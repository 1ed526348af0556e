"""Cells in place of summaries, beside those of decoded ones."""

from collections.abc import Callable
from dataclasses import fields
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryptomarket.history.columns import Columns
from cryptomarket.history.formats import CsvWriter
from cryptomarket.history.leaves import leaves_of
from cryptomarket.history.rows import Row
from cryptomarket.market.instruments import Kind
from cryptomarket.market.ticks import SUMMARY_OF_KIND, Greeks, Stats
from cryptomarket.market.wire import encode_summary

PLAIN = st.none() | st.decimals(-(10**12), 10**12, allow_nan=False, places=6) | st.sampled_from(
    [Decimal(text) for text in ("0", "-0", "0.000001", "-0.0120", "0.00000123", "1E-6", "12.000000000001", "0.000000")]
)  # fmt: skip
WORDS = st.none() | st.sampled_from(["open", "SYN.BTC-2APR20", "BTC_USDC", "a b", "-1", "=1+1", 'x"y', "", "{}", "ü"])
HEAD = {column.name for column in Columns(Kind.INDEX).columns}
NAMES = ["stats", "state", "stats.high", "greeks", "mark_iv", "last_price", "underlying_index", "best_bid_amount"]


def row_of(kind: Kind, summary: str | None) -> Row:
    return Row(1, "stream", "e1", 1, None, "x", "x", kind.value, None, 1, 2, 3, summary)


@given(
    kind=st.sampled_from(sorted(SUMMARY_OF_KIND)),
    numbers=st.lists(PLAIN | st.sampled_from([Decimal("1E-7"), Decimal("8.5E+9")]), min_size=34, max_size=34),
    words=st.lists(WORDS, min_size=2, max_size=2),
    chosen=st.none() | st.lists(st.sampled_from(NAMES), min_size=1),
)
def test_leaves_are_what_a_decoder_finds(
    kind: Kind, numbers: list[Decimal | None], words: list[str | None], chosen: list[str] | None
) -> None:
    """Promise: the same cells to the byte and digit as of decoded summaries, or none at all; nothing is ever refused
    that has plain words and numbers alone.
    """
    left, texts = iter(numbers), iter(words)
    type_ = SUMMARY_OF_KIND[kind]
    made: dict[str, Callable[[], object]] = {
        "stats": lambda: Stats(*(next(left) for _ in fields(Stats))),
        "greeks": lambda: Greeks(*(next(left) for _ in fields(Greeks))),
        "state": lambda: next(texts),
        "underlying_index": lambda: next(texts),
    }
    values: dict[str, Any] = {name.name: made.get(name.name, lambda: next(left))() for name in fields(type_)}
    whole = encode_summary(type_(**values)).decode()
    columns = Columns(kind, chosen)
    leaves = tuple(column.name for column in columns.columns if column.name not in HEAD)
    if len(leaves) < 2:
        return
    told = leaves_of(kind, leaves).in_place_of_summaries(whole + "\r\n")
    own = CsvWriter(Columns(kind, leaves)).rows([row_of(kind, whole)]).decode()
    assert told in (own, None)
    odd_words = [word for word in words if word not in (None, "open", "SYN.BTC-2APR20", "BTC_USDC")]
    assert told is not None or odd_words or any("E" in str(number) or str(number) == "-0" for number in numbers)


@pytest.mark.parametrize("odd", ['{"state":"open"}', '{"last_price":1}', "{}", '{"state":"open\\"}'])
def test_what_is_spelled_otherwise_is_not_told(odd: str) -> None:
    """Promise: a summary of another shape leaves the whole window to the decoder."""
    plain = encode_summary(SUMMARY_OF_KIND[Kind.SPOT]()).decode()
    leaves = leaves_of(Kind.SPOT, ("state", "stats.high"))
    assert leaves.in_place_of_summaries(f"1,{plain}\r\n2,{plain}") == "1,,\r\n2,,"
    assert leaves.in_place_of_summaries(f"1,{plain}\r\n2,{odd}") is None


@pytest.mark.parametrize(
    ("number", "is_told"),
    [(number, False) for number in ("-0", "0.0000001", "-0.00000012", "0.0000000", "1e-7")]
    + [(number, True) for number in ("-0.5", "0.000000", "-0.000001", "10.0000001", "20.0000000", "0.0000012")]
)  # fmt: skip
def test_digits_are_those_of_str(number: str, is_told: bool) -> None:
    """Promise: a number that `str` writes with an exponent, or that loses its sign, is never told otherwise here than
    by our own writer, which gets the window then; and any other is told here.
    """
    plain = encode_summary(SUMMARY_OF_KIND[Kind.SPOT]()).decode()
    told = leaves_of(Kind.SPOT, ("state", "last_price")).in_place_of_summaries(
        f"0.0000001,{plain}".replace('"last_price":null', f'"last_price":{number}')
    )
    assert told == (f"0.0000001,,{number}" if is_told else None)
