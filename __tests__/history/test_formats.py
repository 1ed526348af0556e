"""Bulk formats by lines, and which of all is wanted."""

import csv
import io
import json
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryptomarket.history.columns import Columns
from cryptomarket.history.formats import CsvWriter, Format, NdjsonWriter, Trailer, format_of, harmless
from cryptomarket.history.rows import Row
from cryptomarket.market.instruments import Kind


def row(price: Decimal | None, *, ticker: str = "btc_usd", seq: int = 5) -> Row:
    return Row(1, "stream", "e1", seq, None, ticker, ticker, "index", price, 1_790_165_113_481, 2, None, None)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", "json"), ("*/*", "json"), ("text/csv", "csv"), ("Text/CSV; charset=utf-8", "csv"), ("text/html", "json"),
        ("application/json;q=0.5, application/x-ndjson", "ndjson"), ("text/csv;q=0, */*;q=0.1", "json"),
        ("application/vnd.apache.parquet", "parquet"), ("application/vnd.apache.arrow.stream;q=x, text/csv", "csv"),
        ("application/json;q=0, */*", "ndjson"), ("text/*", "csv"), ("application/*;q=0.2, text/*", "csv"),
        ("application/json, text/csv;q=inf", "json"), ("application/json;q=0.9, text/csv;q=1.1", "json"),
        ("text/csv, application/json", "csv"), ("application/vnd.apache.arrow.stream", "arrow"),
    ],
)  # fmt: skip
def test_the_format_is_what_the_caller_accepts_most(accept: str, form: str) -> None:
    """Promise: quality counts, then order; who takes anything, or nothing that there is, gets JSON."""
    assert format_of(accept) is Format(form)


exact = st.none() | st.decimals(allow_nan=False, allow_infinity=False)


@given(prices=st.lists(exact, max_size=5))
def test_prices_come_back_from_lines_digit_for_digit(prices: list[Decimal | None]) -> None:
    """Promise: a number is its own digits in NDJSON and in CSV, and nothing is null, or an empty cell."""
    rows = [row(price) for price in prices]
    lines = NdjsonWriter(None).rows(rows).splitlines()
    told = [json.loads(line, parse_float=Decimal, parse_int=Decimal)["price"] for line in lines]
    assert [None if price is None else str(price) for price in told] == [
        None if price is None else str(Decimal(f"{price}")) for price in prices
    ]
    writer = CsvWriter(Columns(Kind.INDEX))
    read = csv.DictReader(io.StringIO((writer.begin() + writer.rows(rows)).decode(), newline=""))
    assert [cells["price"] for cells in read] == ["" if price is None else str(price) for price in prices]


@given(text=st.text(max_size=20), price=st.decimals(allow_nan=False, allow_infinity=False))
def test_no_text_is_a_formula_and_every_number_is_itself(text: str, price: Decimal) -> None:
    """Promise: no text cell begins as a formula would, in whatever line; cells with commas, quotes and line breaks stay
    whole; no number is touched, negative ones included.
    """
    writer = CsvWriter(Columns(Kind.INDEX))
    body = writer.begin() + writer.rows([row(price, ticker=text)]) + writer.rest()
    [cells] = list(csv.DictReader(io.StringIO(body.decode(), newline="")))
    assert not cells["ticker"].startswith(("=", "+", "-", "@", "\t", "\r"))
    assert cells["ticker"] in {text, f"'{text}"}
    assert cells["price"] == str(price)
    assert writer.end(Trailer(1, "", complete=True)) == b""


def test_what_a_spreadsheet_would_run_has_an_apostrophe() -> None:
    """Promise: only texts that would run are marked."""
    assert [harmless(text) for text in ("=1+1", "-x", "@a", "\tb", "x=1", None, "")] == [
        "'=1+1", "'-x", "'@a", "'\tb", "x=1", None, "",
    ]  # fmt: skip


def test_the_csv_opens_in_pandas() -> None:
    """Promise: pandas reads it as it stands, whatever the spelling of a number."""
    writer = CsvWriter(Columns(Kind.INDEX, ["timestamp", "price", "ticker"]))
    body = writer.begin() + writer.rows([row(Decimal("8.55E+4")), row(None), row(Decimal("-0.10"))])
    frame = pd.read_csv(io.BytesIO(body), dtype={"price": str})
    assert list(frame.columns) == ["ticker", "price", "timestamp"]
    assert [Decimal(price) for price in frame["price"].dropna()] == [Decimal(85500), Decimal("-0.1")]


def test_the_last_line_is_the_trailer() -> None:
    """Promise: whoever does not see it has not seen everything."""
    writer = NdjsonWriter(["timestamp"])
    assert writer.begin() + writer.rows([]) + writer.rest() == b""
    assert writer.rows([row(None)]) == b'{"timestamp":1790165113481}\n'
    assert json.loads(writer.end(Trailer(1, "ab", complete=False))) == {
        "trailer": {"rows": 1, "sha256": "ab", "complete": False}
    }
