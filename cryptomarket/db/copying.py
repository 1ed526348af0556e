"""One store into another: resumable, and proven by what both hold afterwards."""

import hashlib
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from cryptomarket.db.columns import GROWS_ONLY, PARTITIONED_BY
from cryptomarket.db.database import Database
from cryptomarket.db.repository import count, empty, hand_out_ids_after, last_id, rows_after
from cryptomarket.errors import StartRefused

CHUNK_ROWS = 5000
Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """So many rows of a table are in the target."""

    table: str
    rows: int
    of: int


@dataclass(frozen=True, slots=True)
class Content:
    """What a table holds: its rows, and the SHA-256 over all of them in the order of their key.

    A price counts with all of its digits and without its power of ten, which one of the databases writes out.
    """

    table: str
    rows: int
    sha256: str


class Copying:
    """Copies `tables` from one store to another that holds nothing else.

    Rows of a table that only grows are copied in chunks of a transaction each, with their ids, so that the next run
    goes on where one broke off, and takes what was added since. All other tables are copied anew by each run, as of
    one moment. `lasting` are tables whose rows are never deleted: rows of theirs that only the target has are
    somebody else's. `tell` is called after each chunk.
    """

    def __init__(
        self,
        source: Database,
        target: Database,
        tables: Sequence[Table],
        *,
        lasting: Collection[Table] = (),
        tell: Callable[[Progress], None],
        chunk_rows: int = CHUNK_ROWS,
    ) -> None:
        self._source = source
        self._target = target
        self._growing = [table for table in tables if table.info.get(GROWS_ONLY)]
        self._others = [table for table in tables if not table.info.get(GROWS_ONLY)]
        self._lasting = lasting
        self._tell = tell
        self._chunk_rows = chunk_rows

    async def run(self) -> list[Content]:
        """Copies and proves. Raises StartRefused when the target holds other rows, or is not the same at the end."""
        for table in self._growing:
            await self._check_growing(table)
        for table in self._lasting:
            await self._check_lasting(table)
        ends = {table.name: await self._copy_growing(table) for table in self._growing}
        told = await self._copy_others()
        async with self._source.read() as connection:
            for table in self._growing:
                told[table.name] = await self._content(connection, table, up_to_id=ends[table.name])
        found = {}
        async with self._target.read() as connection:
            for table in (*self._growing, *self._others):
                found[table.name] = await self._content(connection, table)
        _compare(told, found)
        return list(found.values())

    async def _check_growing(self, table: Table) -> None:
        async with self._target.read() as connection:
            end = await last_id(connection, table)
            there = await _outline(connection, table, end)
        async with self._source.read() as connection:
            expected = await _outline(connection, table, end)
        if there != expected:
            raise _others_rows(table)

    async def _check_lasting(self, table: Table) -> None:
        async with self._source.read() as source, self._target.read() as target:
            known = {_key(table, row) async for rows in self._chunks(source, table) for row in rows}
            async for rows in self._chunks(target, table):
                if any(_key(table, row) not in known for row in rows):
                    raise _others_rows(table)

    async def _copy_growing(self, table: Table) -> int:
        async with self._target.read() as connection:
            end = await last_id(connection, table)
            done = await count(connection, table)
        async with self._source.read() as connection:
            of = await count(connection, table)
        while True:
            async with self._source.read() as connection:
                rows = await rows_after(connection, table, [end], limit=self._chunk_rows)
            if not rows:
                break
            if (divided_by := table.info.get(PARTITIONED_BY)) is not None:
                place = list(table.columns.keys()).index(divided_by)
                await self._target.make_partitions(table, (row[place] for row in rows))
            end = _key(table, rows[-1])[0]
            async with self._target.begin() as connection:
                await self._insert(connection, table, rows)
                await self._leave_ids(connection, table, end)
            done += len(rows)
            self._tell(Progress(table.name, done, max(of, done)))
        return end

    async def _copy_others(self) -> dict[str, Content]:
        told = {}
        async with self._source.read() as source, self._target.begin() as target:
            for table in self._others:
                await empty(target, table)
                digest, done, of = Digest(table), 0, await count(source, table)
                async for rows in self._chunks(source, table):
                    digest.add(rows)
                    await self._insert(target, table, rows)
                    done += len(rows)
                    self._tell(Progress(table.name, done, of))
                if "id" in table.c and table.autoincrement_column is not None:
                    await self._leave_ids(target, table, await last_id(target, table))
                told[table.name] = digest.content
        return told

    async def _leave_ids(self, connection: AsyncConnection, table: Table, highest: int) -> None:
        if not self._target.is_sqlite:
            await hand_out_ids_after(connection, table, highest)

    async def _insert(self, connection: AsyncConnection, table: Table, rows: Sequence[Row]) -> None:
        dialect = self._target.dialect
        binders = [column.type.dialect_impl(dialect).bind_processor(dialect) for column in table.columns]
        bound = [
            tuple(value if bind is None else bind(value) for bind, value in zip(binders, row, strict=True))
            for row in rows
        ]
        await self._target.insert_new(connection, table, list(table.columns.keys()), bound)

    async def _content(self, connection: AsyncConnection, table: Table, *, up_to_id: int | None = None) -> Content:
        digest = Digest(table)
        async for rows in self._chunks(connection, table, up_to_id=up_to_id):
            digest.add(rows)
        return digest.content

    async def _chunks(
        self, connection: AsyncConnection, table: Table, *, up_to_id: int | None = None
    ) -> AsyncIterator[list[Row]]:
        key: Row | None = None
        while rows := await rows_after(connection, table, key, limit=self._chunk_rows, up_to_id=up_to_id):
            yield rows
            key = _key(table, rows[-1])


class Digest:
    """The content of a table, as its rows go by."""

    def __init__(self, table: Table) -> None:
        self._table = table.name
        self._rows = 0
        self._hash = hashlib.sha256()

    def add(self, rows: Sequence[Row]) -> None:
        self._rows += len(rows)
        for row in rows:
            self._hash.update(_encoder.encode([_spelled(value) for value in row]) + b"\n")

    @property
    def content(self) -> Content:
        return Content(self._table, self._rows, self._hash.hexdigest())


_encoder = msgspec.json.Encoder()


def _spelled(value: object) -> object:
    match value:
        case Decimal():
            return f"{value or value.copy_abs():f}"
        case datetime():
            return value.isoformat()
        case _:
            return value


async def _outline(connection: AsyncConnection, table: Table, end: int) -> tuple[object, ...]:
    """What shows at little cost whether it is the same table up to an id. The checksum at the end is the proof."""
    first = await rows_after(connection, table, None, limit=1)
    last = await rows_after(connection, table, [end - 1], limit=1)
    spelled = [[_spelled(value) for value in row] for row in (*first, *last)] if end else []
    return await count(connection, table, up_to_id=end), spelled


def _key(table: Table, row: Row) -> Row:
    names = list(table.columns.keys())
    return tuple(row[names.index(column.name)] for column in table.primary_key.columns)


def _others_rows(table: Table) -> StartRefused:
    return StartRefused(
        f"The target's table {table.name} holds rows that did not come from this source; nothing was changed. "
        f"Copy into a new database, or into one that only this source was copied to."
    )


def _compare(told: Mapping[str, Content], found: Mapping[str, Content]) -> None:
    for name, expected in told.items():
        if found[name] != expected:
            raise StartRefused(
                f"The copy of {name} is not the same: {expected.rows} rows with checksum {expected.sha256[:12]} in "
                f"the source, {found[name].rows} rows with {found[name].sha256[:12]} in the target. Copy into a new "
                f"database."
            )
