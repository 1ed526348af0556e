"""Parquet and Arrow, opened by those who will open them."""

import hashlib
import io
import json
from collections.abc import Collection
from decimal import Context, Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import ipc, parquet

from __tests__.history.test_formats import row
from __tests__.history.test_lines_repository import SUMMARIES
from __tests__.history.world import option_tick
from cryptomarket.history.columnar import ROWS_TOGETHER, ArrowWriter, ParquetWriter
from cryptomarket.history.columns import Columns
from cryptomarket.history.formats import CsvWriter, NoRoom, RowWriter, Trailer
from cryptomarket.history.rows import Row
from cryptomarket.market.instruments import Kind
from cryptomarket.market.wire import encode_summary

WIDE = Context(prec=2000, Emax=10**6, Emin=-(10**6))
PRICES = [Decimal("85500.000000001"), None, Decimal("8.55E+4"), Decimal("-0.10"), Decimal("0E-8")]


def written(writer: RowWriter, *pieces: list[Row]) -> tuple[bytes, str]:
    """A whole answer, and the digest of what comes before its trailer."""
    body = b"".join((writer.begin(), *map(writer.rows, pieces), writer.rest()))
    sha256 = hashlib.sha256(body).hexdigest()
    return body + writer.end(Trailer(sum(map(len, pieces)), sha256, complete=True)), sha256


def batches(body: bytes) -> tuple[list[Any], dict[bytes, bytes]]:
    """Rows of an Arrow stream, and the metadata of its last batch."""
    rows: list[Any] = []
    told: dict[bytes, bytes] = {}
    reader = ipc.open_stream(body)
    while True:
        try:
            batch, metadata = reader.read_next_batch_with_custom_metadata()
        except StopIteration:
            return rows, told
        rows += batch.to_pylist()
        told = dict(metadata) if metadata is not None else {}


def queried(question: str) -> list[Any]:
    """What DuckDB answers."""
    with duckdb.connect() as connection:
        return connection.execute(question).fetchall()


def test_parquet_opens_in_pyarrow_duckdb_and_pandas(tmp_path: Path) -> None:
    """Promise: the prices are decimals of the same value to all three; the trailer stands in the metadata, and its
    digest is that of everything before the footer.
    """
    body, sha256 = written(ParquetWriter(Columns(Kind.INDEX)), [row(price) for price in PRICES[:2]], [],
                           [row(price, seq=9) for price in PRICES[2:]])  # fmt: skip
    path = tmp_path / "ticks.parquet"
    path.write_bytes(body)
    table = parquet.read_table(path)
    assert table.column("price").to_pylist() == PRICES
    assert queried(f"SELECT price FROM '{path}'") == [(price,) for price in PRICES]
    assert queried(f"SELECT count(*) FROM '{path}' WHERE price = 85500.000000001::DECIMAL(38,24)") == [(1,)]
    assert [price if isinstance(price, Decimal) else None for price in pd.read_parquet(path)["price"]] == PRICES
    metadata = parquet.ParquetFile(path).metadata.metadata
    assert json.loads(metadata[b"trailer"]) == {"rows": 5, "sha256": sha256, "complete": True}
    footer = int.from_bytes(body[-8:-4], "little") + 8
    assert hashlib.sha256(body[:-footer]).hexdigest() == sha256


def test_an_arrow_stream_ends_with_its_trailer() -> None:
    """Promise: decimals of the same value; the trailer is the metadata of the last batch, which is empty."""
    body, sha256 = written(ArrowWriter(Columns(Kind.INDEX)), [row(price) for price in PRICES])
    rows, told = batches(body)
    assert [each["price"] for each in rows] == PRICES
    assert json.loads(told[b"trailer"]) == {"rows": 5, "sha256": sha256, "complete": True}
    assert written(ArrowWriter(Columns(Kind.INDEX)), [row(price) for price in PRICES])[0] == body


@pytest.mark.parametrize("writer", [ParquetWriter, ArrowWriter])
def test_nothing_is_a_table_too(writer: type[ParquetWriter | ArrowWriter]) -> None:
    """Promise: a range without rows is a table without rows, with its columns and its trailer."""
    body, _ = written(writer(Columns(Kind.INDEX, ["price", "timestamp"])))
    table = parquet.read_table(io.BytesIO(body)) if writer is ParquetWriter else ipc.open_stream(body).read_all()
    assert (table.num_rows, table.column_names) == (0, ["price", "timestamp"])


@given(prices=st.lists(st.none() | st.decimals(-(10**14) + 1, 10**14 - 1, places=12), max_size=8))
def test_prices_are_the_same_to_the_digit(prices: list[Decimal | None]) -> None:
    """Promise: whatever fits 14 digits before the point and 24 after it comes back as it was."""
    rows = [row(price) for price in prices]
    body, _ = written(ParquetWriter(Columns(Kind.INDEX)), rows)
    assert parquet.read_table(io.BytesIO(body)).column("price").to_pylist() == prices
    assert [each["price"] for each in batches(written(ArrowWriter(Columns(Kind.INDEX)), rows)[0])[0]] == prices


@pytest.mark.parametrize(
    "price", ["1E-25", "1E+14", "123456789012345.5", "350000000000000", "-54127E+12", "34696704223078E+1"]
)
@pytest.mark.parametrize("writer", [ParquetWriter, ArrowWriter])
def test_a_price_that_does_not_fit_is_never_told_as_another(
    writer: type[ParquetWriter | ArrowWriter], price: str
) -> None:
    """Promise: an error, not a rounding."""
    held, rows = writer(Columns(Kind.INDEX)), [row(Decimal(price))]
    with pytest.raises(NoRoom):
        held.rows(rows)
    with pytest.raises(NoRoom):
        held.lines(CsvWriter(Columns(Kind.INDEX)).rows(rows), 1)


@given(
    kind=st.sampled_from(Kind),
    prices=st.lists(st.none() | st.decimals(-(10**14) + 1, 10**14 - 1, places=12), max_size=5),
    chosen=st.none() | st.sets(st.sampled_from(["position", "seq", "price", "ticker", "state", "stats"]), min_size=1),
)
def test_lines_become_the_columns_that_rows_do(
    kind: Kind, prices: list[Decimal | None], chosen: Collection[str] | None
) -> None:
    """Promise: what the database has written as CSV is, value for value, what rows are: with a summary or without,
    chosen fields or not, nothing where there is nothing, numbers with exponents.
    """
    columns, summary = Columns(kind, chosen), SUMMARIES.get(kind)
    if not columns.columns:
        return
    rows = [row(price)._replace(kind=kind.value, summary=None if price is None else summary) for price in prices]
    rows += [row(None)._replace(source="collected", epoch=None, seq=None, kind=kind.value, summary=summary)]
    writer = ArrowWriter(columns)
    lines = CsvWriter(columns).rows(rows)
    body = b"".join((writer.begin(), writer.lines(lines, len(rows)), writer.rest()))
    body += writer.end(Trailer(len(rows), "", complete=True))
    assert batches(body)[0] == batches(written(ArrowWriter(columns), rows)[0])[0]


def test_a_line_that_is_not_one_row_is_told_to_nobody() -> None:
    """Promise: rows that were counted and lines that are read are as many."""
    columns = Columns(Kind.INDEX)
    with pytest.raises(ValueError, match="2 rows were written as 1 lines"):
        ParquetWriter(columns).lines(CsvWriter(columns).rows([row(Decimal(1))]), 2)


@given(price=st.decimals(allow_nan=False, allow_infinity=False) | st.decimals(-(10**60), 10**60, places=3))
def test_a_line_is_told_as_it_is_or_not_at_all(price: Decimal) -> None:
    """Promise: of whatever size a number is, none becomes another one on its way through the library's reader."""
    columns, rows = Columns(Kind.INDEX, ["price", "ticker"]), [row(price), row(None)]
    writer = ArrowWriter(columns)
    begin = writer.begin()
    try:
        body = writer.lines(CsvWriter(columns).rows(rows), 2) + writer.rest()
    except NoRoom:
        assert price != price.quantize(Decimal(1).scaleb(-24), context=WIDE) or abs(price) >= 10**14
        return
    told, _ = batches(begin + body + writer.end(Trailer(2, "", complete=True)))
    assert [each["price"] for each in told] == [price, None]


def test_many_rows_leave_in_groups() -> None:
    """Promise: memory does not grow with the range: what is enough for a group leaves."""
    writer = ParquetWriter(Columns(Kind.INDEX))
    many = [row(Decimal(1))] * (ROWS_TOGETHER // 2)
    lines = CsvWriter(Columns(Kind.INDEX)).rows(many)
    assert writer.begin() + writer.rows(many) in (b"PAR1", b"")
    assert len(writer.lines(lines, len(many))) > 1000
    assert writer.lines(lines, len(many)) == b""
    assert len(writer.rest()) > 500
    assert writer.rest() == b""


def test_an_option_has_all_its_columns() -> None:
    """Promise: implied volatilities and greeks are decimals, too."""
    tick = option_tick(3)
    assert tick.summary is not None
    summary = encode_summary(tick.summary).decode()
    name = tick.ticker
    told = Row(1, "stream", "e1", 1, None, name, name, "option", None, 3, 3, None, summary)
    body, _ = written(ParquetWriter(Columns(Kind.OPTION)), [told])
    [only] = parquet.read_table(io.BytesIO(body)).to_pylist()
    assert (only["greeks.delta"], only["mark_iv"], only["underlying_index"]) == (Decimal("0.00001"), None, "SYN.XRP")
    assert pa.types.is_decimal(parquet.read_schema(io.BytesIO(body)).field("mark_iv").type)
