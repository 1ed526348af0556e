"""All rows of a question, one piece after the other: the next is read while the last one leaves."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import msgspec

from cryptomarket.history.cursors import Cursor
from cryptomarket.history.formats import RowWriter
from cryptomarket.history.leaves import leaves_of
from cryptomarket.history.lines import SUMMARY, WHOLE_SUMMARY, Blank, Line
from cryptomarket.history.look_repository import Look
from cryptomarket.history.repository import Repository
from cryptomarket.history.rows import Choice
from cryptomarket.history.windows_repository import Ahead, Window


class Piece(NamedTuple):
    """Bytes that are ready, maybe none, and how many rows were read for them."""

    body: bytes
    rows: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many rows are read at once: as objects, as lines, and as lines with a summary; a megabyte or two of each."""

    objects: int = 2500
    lines: int = 4096
    long_lines: int = 2048

    def of(self, line: Line) -> int:
        """The rows of a window of such lines."""
        is_long = any(isinstance(piece, Blank) and piece.column in (SUMMARY, WHOLE_SUMMARY) for piece in line.pieces)
        return self.long_lines if is_long else self.lines


SIZES = Sizes()


class Walk:
    """The rows of a question as a writer writes them. No connection of the database is held while a piece leaves, and
    one piece at most is waiting beside it. Where `line` is known, lines are read where there are such.

    Every piece raises DatabaseUnavailable, and ValueError for a number that the format can't hold.
    """

    def __init__(
        self,
        repository: Repository,
        asked: Cursor,
        writer: RowWriter,
        line: Line | None,
        *,
        is_apart: bool,
        sizes: Sizes,
    ) -> None:
        self._repository = repository
        self._asked = asked
        self._writer = writer
        self._line = line
        self._is_apart = is_apart
        self._sizes = sizes
        self._read = self._windows(line) if line is not None else self._pages(Window(asked.start_ms, asked.end_ms))
        self._coming: asyncio.Task[Piece | None] | None = None

    async def begin(self) -> None:
        """Reads the first piece, so that what can't be read at all is known before anything is said."""
        self._coming = self._ahead()
        await self._coming

    def close(self) -> None:
        """Reads no further: what is being read is given up at once, with its connection."""
        if self._coming is not None:
            self._coming.cancel()

    async def pieces(self) -> AsyncGenerator[Piece, None]:
        """Everything, in order."""
        try:
            self._coming = self._coming or self._ahead()
            while (piece := await self._coming) is not None:
                self._coming = self._ahead()
                yield piece
        finally:
            self.close()

    def _ahead(self) -> asyncio.Task[Piece | None]:
        task = asyncio.create_task(self._next(), name=f"rows of {self._asked.ticker}")
        task.add_done_callback(_look_at)
        return task

    async def _next(self) -> Piece | None:
        return await anext(self._read, None)

    async def _windows(self, line: Line) -> AsyncGenerator[Piece, None]:
        left, is_more, rows = Window(self._asked.start_ms, self._asked.end_ms), True, self._sizes.of(line)
        while is_more:
            window, is_more, written = await self._repository.look(partial(self._window, left, line, rows))
            if written is None:
                async for piece in self._pages(window):
                    yield piece
            elif written.rows:
                text = (written.text + line.end).encode()
                yield Piece(await self.write(partial(self._writer.lines, text, written.rows)), written.rows)
            is_asc = self._asked.order == "asc"
            left = Window(window.end_ms, left.end_ms) if is_asc else Window(left.start_ms, window.start_ms)

    def _window(self, left: Window, line: Line, rows: int, look: Look) -> Ahead:
        found = look.lines.ahead(self._asked, left, line, rows=rows)
        if not line.leaves or found.written is None:
            return found
        text = leaves_of(line.kind, line.leaves).in_place_of_summaries(found.written.text)
        return found._replace(written=None if text is None else found.written._replace(text=text))

    async def _pages(self, window: Window) -> AsyncGenerator[Piece, None]:
        asked = msgspec.structs.replace(self._asked, start_ms=window.start_ms, end_ms=window.end_ms)
        choice, is_begun, is_more = Choice(source=asked.source), False, True
        while is_more:
            rows, is_more = await self._repository.page(asked, choice, limit=self._sizes.objects, begun=is_begun)
            if not rows:
                return
            asked, is_begun = asked.after(rows[-1]), True
            yield Piece(await self.write(partial(self._writer.rows, rows)), len(rows))

    async def write(self, write: Callable[[], bytes]) -> bytes:
        """What a writer writes. Columns take their time, and others are waiting for the loop."""
        return await asyncio.to_thread(write) if self._is_apart else write()


def _look_at(done: asyncio.Task[Piece | None]) -> None:
    # Whoever waited for it may have left.
    if not done.cancelled():
        done.exception()
