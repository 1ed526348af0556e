"""Bulk answers by columns: Parquet and Arrow's stream of batches. Prices are decimals there, too.

Loaded when the first one is asked for: the library takes more memory than the gateway itself.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import csv, ipc, parquet

from cryptomarket.history.columns import Cell, CellKind, Columns
from cryptomarket.history.formats import NoRoom, Trailer
from cryptomarket.history.rows import Row
from cryptomarket.market.wire import encode

# The widest that DuckDB and others know: 14 digits before the point, as volumes in USD have, and 24 after it.
DECIMAL = pa.decimal128(38, 24)
# Between it and the first number that has no room, 10¹⁴, none is taken for another one.
_MUCH_TOO_LARGE = 1.5e14
ROWS_TOGETHER = 32_768
# More than there ever is of lines at once (`Sizes`).
_LINES_BYTES = 1 << 25
TRAILER = "trailer"
_TYPES = {CellKind.TEXT: pa.string(), CellKind.INTEGER: pa.int64(), CellKind.DECIMAL: DECIMAL}


class _Sink:
    """A file that hands over what was written to it."""

    def __init__(self) -> None:
        self._written: list[bytes] = []
        self._position = 0
        self.closed = False

    def write(self, data: bytes) -> int:
        piece = bytes(data)
        self._written.append(piece)
        self._position += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._position

    def flush(self) -> None:
        """Nothing is held back here."""

    def close(self) -> None:
        self.closed = True

    def taken(self) -> bytes:
        written = b"".join(self._written)
        self._written.clear()
        return written


@contextmanager
def _fitting() -> Iterator[None]:
    try:
        yield
    except pa.ArrowInvalid as error:
        raise NoRoom(str(error)) from error


class _Batches:
    """Rows, until they are enough for a piece of their own."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._held: list[pa.RecordBatch] = []
        self.schema = pa.schema([(column.name, _TYPES[column.kind]) for column in columns.columns])
        nothing = [pa.nulls(0, field.type) for field in self.schema]
        self._nothing = pa.RecordBatch.from_arrays(nothing, schema=self.schema)
        self._reading = csv.ReadOptions(use_threads=False, block_size=_LINES_BYTES, column_names=self.schema.names)
        types = {field.name: field.type for field in self.schema}
        # No text is empty: what has nothing in it is absent.
        self._meaning = csv.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=True)
        decimals = [field.name for field in self.schema if field.type == DECIMAL]
        self._sizes = (
            csv.ConvertOptions(
                include_columns=decimals, column_types=dict.fromkeys(decimals, pa.float64()), null_values=[""]
            )
            if decimals
            else None
        )

    def add_rows(self, rows: Sequence[Row]) -> pa.RecordBatch | None:
        """Takes rows on, and gives a batch when there are enough. Raises NoRoom for what DECIMAL can't hold."""
        cells: list[tuple[Cell, ...]] = [self._columns.cells(row) for row in rows]
        by_column = list(zip(*cells, strict=True)) if cells else [()] * len(self.schema)
        with _fitting():
            arrays = [pa.array(column, field.type) for column, field in zip(by_column, self.schema, strict=True)]
        return self._add([pa.RecordBatch.from_arrays(arrays, schema=self.schema)])

    def add_lines(self, text: bytes, rows: int) -> pa.RecordBatch | None:
        """The same for rows that are lines of CSV, which no object of Python is made of."""
        with _fitting():
            self._check_sizes(text)
            table = csv.read_csv(pa.py_buffer(text), read_options=self._reading, convert_options=self._meaning)
            # A decimal with more digits than its type has would pass.
            table.validate(full=True)
        if table.num_rows != rows:
            raise ValueError(f"{rows} rows were written as {table.num_rows} lines")
        return self._add(table.to_batches())

    def _check_sizes(self, text: bytes) -> None:
        """Raises NoRoom. The library's reader finds digits behind the point that are too many; but it takes a number
        that is much too large modulo 2¹²⁸, which may look like any other.
        """
        if self._sizes is None:
            return
        numbers = csv.read_csv(pa.py_buffer(text), read_options=self._reading, convert_options=self._sizes)
        for column in numbers.itercolumns():
            bounds = pc.min_max(column).as_py()
            if bounds["min"] is not None and max(-bounds["min"], bounds["max"]) > _MUCH_TOO_LARGE:
                raise NoRoom("a number has more digits before its point than a column has room for")

    def _add(self, batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch | None:
        self._held += batches
        return self.batch() if sum(batch.num_rows for batch in self._held) >= ROWS_TOGETHER else None

    def batch(self) -> pa.RecordBatch:
        """What there is, maybe nothing."""
        held, self._held = self._held, []
        return pa.concat_batches(held) if held else self._nothing


class _Columnar(ABC):
    """What both formats do alike: rows become record batches, and bytes are taken as the library has written them."""

    def __init__(self, columns: Columns) -> None:
        self._batches = _Batches(columns)
        self._sink = _Sink()
        self._file = pa.PythonFile(self._sink, mode="w")

    def begin(self) -> bytes:
        return self._sink.taken()

    def rows(self, rows: Sequence[Row]) -> bytes:
        return self._put(self._batches.add_rows(rows))

    def lines(self, text: bytes, rows: int) -> bytes:
        return self._put(self._batches.add_lines(text, rows))

    def rest(self) -> bytes:
        return self._put(self._batches.batch())

    def _put(self, batch: pa.RecordBatch | None) -> bytes:
        if batch is not None and batch.num_rows:
            self._write(batch)
        return self._sink.taken()

    @abstractmethod
    def _write(self, batch: pa.RecordBatch) -> None:
        """Hands one batch to the library."""


class ParquetWriter(_Columnar):
    """One Parquet file, the trailer as the entry `trailer` of its metadata, in JSON; its SHA-256 is that of everything
    before the footer.
    """

    def __init__(self, columns: Columns) -> None:
        super().__init__(columns)
        self._writer = parquet.ParquetWriter(self._file, self._batches.schema)

    def _write(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(batch, row_group_size=batch.num_rows)

    def end(self, trailer: Trailer) -> bytes:
        self._writer.add_key_value_metadata({TRAILER: encode(trailer._asdict()).decode()})
        self._writer.close()
        return self._sink.taken()


class ArrowWriter(_Columnar):
    """A stream of record batches, the trailer as the metadata `trailer` of the last batch, which is empty, in JSON; its
    SHA-256 is that of everything before that batch.
    """

    def __init__(self, columns: Columns) -> None:
        super().__init__(columns)
        self._writer = ipc.new_stream(self._file, self._batches.schema)

    def _write(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(batch)

    def end(self, trailer: Trailer) -> bytes:
        told = pa.KeyValueMetadata({TRAILER: encode(trailer._asdict()).decode()})
        self._writer.write_batch(self._batches.batch(), custom_metadata=told)
        self._writer.close()
        return self._sink.taken()
