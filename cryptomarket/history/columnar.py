"""Bulk answers by columns: Parquet and Arrow's stream of batches. Prices are decimals there, too.

Loaded when the first one is asked for: the library takes more memory than the gateway itself.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import pyarrow as pa
from pyarrow import ipc, parquet

from cryptomarket.history.columns import Cell, CellKind, Columns
from cryptomarket.history.formats import Trailer
from cryptomarket.history.rows import Row
from cryptomarket.market.wire import encode

# The widest that DuckDB and others know: 14 digits before the point, as volumes in USD have, and 24 after it.
DECIMAL = pa.decimal128(38, 24)
ROWS_TOGETHER = 32_768
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


class _Batches:
    """Rows, until they are enough for a piece of their own."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._cells: list[tuple[Cell, ...]] = []
        self.schema = pa.schema([(column.name, _TYPES[column.kind]) for column in columns.columns])

    def add(self, rows: Sequence[Row]) -> pa.RecordBatch | None:
        self._cells += map(self._columns.cells, rows)
        return self.batch() if len(self._cells) >= ROWS_TOGETHER else None

    def batch(self) -> pa.RecordBatch:
        """What there is. Raises ValueError for a number that DECIMAL can't hold."""
        by_column = list(zip(*self._cells, strict=True)) if self._cells else [()] * len(self.schema)
        arrays = [pa.array(cells, field.type) for cells, field in zip(by_column, self.schema, strict=True)]
        self._cells = []
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


class _Columnar(ABC):
    """What both formats do alike: rows become record batches, and bytes are taken as the library has written them."""

    def __init__(self, columns: Columns) -> None:
        self._batches = _Batches(columns)
        self._sink = _Sink()
        self._file = pa.PythonFile(self._sink, mode="w")

    def begin(self) -> bytes:
        return self._sink.taken()

    def rows(self, rows: Sequence[Row]) -> bytes:
        return self._put(self._batches.add(rows))

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
