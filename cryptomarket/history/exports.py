"""A whole range in one answer: read piece by piece, so that a slow reader holds no connection of the database, written
in constant memory, and remembered for an hour.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable, Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from typing import cast

import msgspec
import structlog

from cryptomarket import __version__
from cryptomarket.backplane.cache import Cache
from cryptomarket.clock import Clock
from cryptomarket.errors import BusUnavailable, Impossible, NotFound, TooMany, Unavailable
from cryptomarket.history.answers import is_closed
from cryptomarket.history.columns import Columns
from cryptomarket.history.cursors import EVERY_ROW, Cursor
from cryptomarket.history.formats import CsvWriter, Format, NdjsonWriter, NoRoom, RowWriter, Trailer
from cryptomarket.history.lines import COLUMNAR, line_of
from cryptomarket.history.look_repository import Look
from cryptomarket.history.questions import TicksQuestion, begun, check_fields
from cryptomarket.history.reach import Heard, Reach
from cryptomarket.history.repository import Repository
from cryptomarket.history.rows import Choice, Row
from cryptomarket.history.walk import SIZES, Sizes, Walk
from cryptomarket.market.instruments import Kind
from cryptomarket.market.wire import encode

# What leaves in one write: a reader that stalls has no more than this of us in his socket's buffer.
PIECE_BYTES = 256 * 1024
REMEMBERED_S = 3600.0
NO_EXPORT = "No export of yours with this request id has ended within the last hour."

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ExportLimits:
    """How many exports are under way in a process, and how many of one user; and how long one waits for its reader to
    take a piece.
    """

    at_once: int = 8
    per_user: int = 4
    stall_s: float = 30.0


LIMITS = ExportLimits()


@dataclass(frozen=True, slots=True)
class Asker:
    """Whose export it is, and by which request he finds what became of it."""

    user_id: str
    request_id: str

    @property
    def key(self) -> str:
        return f"export:{self.user_id}:{self.request_id}"


class BrokenOff(Exception):
    """An answer can't be told to its end."""


class ExportFacts(msgspec.Struct, frozen=True):
    """What became of an export. `sha256` is that of the bytes before the trailer; null when it broke off."""

    request_id: str
    ticker: str
    format: Format
    start: int
    end: int
    state: str
    rows: int
    sha256: str | None
    complete: bool
    finished_ms: int


class Export:
    """An export that may begin: its range is known, its first rows are read. `pieces` can be taken once."""

    def __init__(
        self, exports: "Exports", asker: Asker, form: Format, asked: Cursor, *, walk: Walk, writer: RowWriter
    ) -> None:
        self._exports = exports
        self._asker = asker
        self._form = form
        self._asked = asked
        self._walk = walk
        self._writer = writer
        self._rows = 0
        self.etag: str | None = None
        """Names the content of a closed range (RFC 9110, 8.8.1): weakly, for a library's next release may write other
        bytes. None for any other range.
        """

    @property
    def name(self) -> str:
        """What a file of it may be called."""
        return f"{self._asked.ticker}_{self._asked.start_ms}_{self._asked.end_ms}.{self._form}"

    @property
    def user_id(self) -> str:
        """Whose it is."""
        return self._asker.user_id

    @property
    def stall_s(self) -> float:
        """How long its reader may take no piece."""
        return self._exports.limits.stall_s

    def close(self) -> None:
        """Makes room for another one, and lets go of what is being read."""
        self._walk.close()
        self._exports.open.discard(self)

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The whole answer. Raises BrokenOff, whereupon the connection has to end, too: a short answer must not look
        like a whole one.
        """
        try:
            async for piece in self._written():
                yield piece
        except (Unavailable, ValueError) as error:
            # ValueError: a number that the format can't hold, which must not be told as another one.
            log.warning("an export broke off", ticker=self._asked.ticker, rows=self._rows, reason=str(error))
            await self._remember("failed", None)
            raise BrokenOff from error

    async def stalled(self) -> None:
        """Its reader has taken no piece for too long. To be called when it is closed: his place is free before what
        became of it is remembered.
        """
        log.warning(
            "a reader of an export was let go",
            user_id=self.user_id,
            ticker=self._asked.ticker,
            rows=self._rows,
            stall_s=self.stall_s,
        )
        await self._remember("failed", None)

    async def _written(self) -> AsyncGenerator[bytes, None]:
        digest = hashlib.sha256()
        head = self._writer.begin()
        digest.update(head)
        for piece in _pieces_of(head):
            yield piece
        async for body, rows in self._walk.pieces():
            self._rows += rows
            for piece in _pieces_of(body):
                digest.update(piece)
                yield piece
        complete = self._asked.complete and await self._exports.still_reaches(self._asked)
        if self.etag is not None and not complete:
            # Its head has said that this is final.
            raise Unavailable("Rows of this range were removed while it was read; ask again.")
        rest = await self._walk.write(self._writer.rest)
        digest.update(rest)
        # The last rows of columns are megabytes, too, and a reader has his time for each piece.
        for piece in _pieces_of(rest):
            yield piece
        sha256 = digest.hexdigest()
        end = self._writer.end(Trailer(self._rows, sha256, complete))
        await self._remember("done", sha256, complete=complete)
        for piece in _pieces_of(end):
            yield piece

    async def _remember(self, state: str, sha256: str | None, *, complete: bool = False) -> None:
        facts = ExportFacts(
            request_id=self._asker.request_id,
            ticker=self._asked.ticker,
            format=self._form,
            start=self._asked.start_ms,
            end=self._asked.end_ms,
            state=state,
            rows=self._rows,
            sha256=sha256,
            complete=complete,
            finished_ms=self._exports.clock.wall_ms(),
        )
        await self._exports.remember(self._asker, facts)


class Exports:
    """Opens exports, as many as `limits` leave room for, and knows what became of them."""

    def __init__(
        self,
        repository: Repository,
        reach: Reach,
        cache: Cache,
        *,
        clock: Clock,
        limits: ExportLimits = LIMITS,
        sizes: Sizes = SIZES,
    ) -> None:
        self._repository = repository
        self._reach = reach
        self._cache = cache
        self._sizes = sizes
        self.limits = limits
        self.clock = clock
        # Bound: `limits.at_once`.
        self.open: set[Export] = set()

    async def begin(
        self,
        asker: Asker,
        asked: TicksQuestion,
        kind: Kind,
        form: Format,
        *,
        is_read: bool = True,
        has: Callable[[str], bool] = lambda _etag: False,
    ) -> Export:
        """An export whose answer may begin; to be closed. Unless it `is_read`, no row of it is looked at before its
        pieces are taken, and none of a closed range that the caller `has`. Raises Impossible for a question that can't
        be, and for numbers that the format has no room for, as far as it can be seen by then; TooMany.
        """
        check_fields(asked.fields, asked.ticker, kind)
        self._check_room(asker)
        writer = await _writer(form, asked, kind)
        heard = await self._reach.heard(asked.ticker)
        question, ends = await self._repository.look(lambda look: self._question(look, asked, heard))
        self._check_room(asker)
        walk = Walk(
            self._repository,
            question,
            writer,
            line_of(form, asked.ticker, kind, asked.fields),
            is_apart=form in COLUMNAR,
            sizes=self._sizes,
        )
        export = Export(self, asker, form, question, walk=walk, writer=writer)
        if ends is not None:
            export.etag = etag_of(form, question, asked.fields, ends)
        self.open.add(export)
        with ExitStack() as unless_begun:
            unless_begun.callback(export.close)
            if is_read:
                await self._forget(asker)
            if is_read and (export.etag is None or not has(export.etag)):
                await _begun(walk, form)
            unless_begun.pop_all()
        return export

    def _question(self, look: Look, asked: TicksQuestion, heard: Heard) -> tuple[Cursor, list[Row] | None]:
        """What is asked, and the first and the last row of a closed range."""
        cursor = begun(self._reach, look, asked, heard)
        if cursor.complete and look.gaps(asked.ticker, cursor.start_ms, cursor.end_ms, limit=1):
            cursor = msgspec.structs.replace(cursor, complete=False)
        closed = is_closed(
            complete=cursor.complete,
            is_start_said=asked.start_ms is not None,
            end_ms=cursor.end_ms,
            now_ms=self.clock.wall_ms(),
        )
        if not closed or not self._reach.is_settled(look, asked.ticker, cursor.end_ms, heard):
            return cursor, None
        both = (cursor, msgspec.structs.replace(cursor, order="desc" if cursor.order == "asc" else "asc"))
        choice = Choice(source=cursor.source)
        return cursor, [row for each in both for row in look.page(each, choice, limit=1, begun=False).rows]

    def _check_room(self, asker: Asker) -> None:
        per_user, at_once = self.limits.per_user, self.limits.at_once
        if sum(export.user_id == asker.user_id for export in self.open) >= per_user:
            said, limit = f"You have {_counted(per_user)} under way here, which is a user's limit.", per_user
        elif len(self.open) >= at_once:
            verb = "is" if at_once == 1 else "are"
            said, limit = f"{_counted(at_once)} {verb} under way here, which is the limit.", at_once
        else:
            return
        raise TooMany(said, retry_after_s=5.0, limit=limit)

    async def still_reaches(self, asked: Cursor) -> bool:
        """Whether nothing of a range was removed since it was looked at. Raises DatabaseUnavailable."""
        return await self._repository.look(lambda look: self._reach.still_reaches(look, asked.ticker, asked.start_ms))

    async def _forget(self, asker: Asker) -> None:
        """Of an earlier export of the same request's name, which its caller chooses, nothing is told any more."""
        try:
            await self._cache.delete(asker.key)
        except BusUnavailable:
            log.warning("what became of an earlier export is not forgotten", request_id=asker.request_id)

    async def remember(self, asker: Asker, facts: ExportFacts) -> None:
        try:
            await self._cache.put(asker.key, encode(facts), life_s=REMEMBERED_S)
        except BusUnavailable:
            # The answer itself is whole, and says so in its trailer.
            log.warning("what became of an export is not remembered", request_id=asker.request_id)

    async def facts(self, asker: Asker) -> bytes:
        """What became of an export, as JSON. Raises NotFound for what was none of his, or hasn't ended."""
        kept = await self._cache.get(asker.key)
        if kept is None:
            raise NotFound(NO_EXPORT, field="request_id")
        return kept


def _counted(exports: int) -> str:
    return "1 export" if exports == 1 else f"{exports} exports"


def etag_of(form: Format, question: Cursor, chosen: Collection[str] | None, ends: list[Row]) -> str:
    """The opaque tag of a closed range in a format. By its first and last row another store is told from this one:
    positions and moments of hearing are its own.
    """
    asked = msgspec.structs.replace(question, newest_id=EVERY_ROW)
    of_all = (__version__, form, asked, chosen and sorted(chosen), ends)
    return f'"{hashlib.sha256(encode(of_all)).hexdigest()[:32]}"'


async def _begun(walk: Walk, form: Format) -> None:
    try:
        await walk.begin()
    except NoRoom as error:
        raise Impossible(
            f"A number of this range has more digits than {form} has room for; ndjson and csv have room for all.",
            field="format",
        ) from error


def _pieces_of(body: bytes) -> Iterator[bytes]:
    if len(body) <= PIECE_BYTES:
        if body:
            yield body
        return
    for start in range(0, len(body), PIECE_BYTES):
        yield body[start : start + PIECE_BYTES]


async def _writer(form: Format, asked: TicksQuestion, kind: Kind) -> RowWriter:
    if form is Format.NDJSON:
        return NdjsonWriter(asked.fields)
    columns = Columns(kind, asked.fields)
    if form is Format.CSV:
        return CsvWriter(columns)
    # Seventy megabytes, which most gateways never need; and half a second, in which others shall be served.
    columnar = await asyncio.to_thread(import_module, "cryptomarket.history.columnar")
    return cast("RowWriter", (columnar.ParquetWriter if form is Format.PARQUET else columnar.ArrowWriter)(columns))
