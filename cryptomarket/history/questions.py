"""What can be asked of history, whoever asks."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import msgspec

from cryptomarket.backplane.bus import Bus
from cryptomarket.clock import Clock
from cryptomarket.errors import BusUnavailable, Impossible, Malformed, NotFound
from cryptomarket.history.answers import Answer, is_closed
from cryptomarket.history.cursors import EVERY_ROW, Cursor, Order
from cryptomarket.history.formats import Format
from cryptomarket.history.lines import Line, line_of
from cryptomarket.history.look_repository import Believed, Look, Text
from cryptomarket.history.reach import NOWHERE, Heard, Reach, Span, range_of
from cryptomarket.history.repository import Repository
from cryptomarket.history.rows import (
    FIELDS_OF_KIND,
    ROW_FIELDS,
    Choice,
    Row,
    StoredGap,
    StoredStatus,
    StoredTick,
    chosen_json,
    row_json,
)
from cryptomarket.history.timestamps import END_OF_TIME_MS
from cryptomarket.market.instruments import Kind
from cryptomarket.market.ticks import Source
from cryptomarket.market.wire import PublicationKind, data_of, decode_tick, encode

MAX_ROWS = 10_000
MAX_GAPS = 1000
BOUNDS = "[start,end)"
_EVERYTHING_BELIEVED = Choice(believed_only=True)


@dataclass(frozen=True, slots=True)
class TicksQuestion:
    """Which rows of a ticker. None is "not said": from the first row, until now, every source, every field. Who knows
    the ticker's kind is answered sooner.
    """

    ticker: str
    kind: Kind | None = None
    start_ms: int | None = None
    end_ms: int | None = None
    order: Order | None = None
    source: Source | None = None
    cursor: Cursor | None = None
    limit: int = 1000
    fields: Collection[str] | None = None


class History:
    """Answers about what was stored, as JSON where prices have to stay exact.

    `reach` judges ranges; that of the bus alone unless it is given.
    """

    def __init__(self, repository: Repository, bus: Bus, *, clock: Clock, reach: Reach | None = None) -> None:
        self._repository = repository
        self._bus = bus
        self._clock = clock
        self._reach = reach or Reach(bus, clock=clock)

    async def last_tick(self, ticker: str) -> StoredTick | None:
        return await self._repository.last_tick(ticker)

    async def last_status(self, ticker: str) -> StoredStatus | None:
        return await self._repository.last_status(ticker)

    async def ticks(self, asked: TicksQuestion) -> Answer:
        """A page of rows. Raises Malformed and Impossible for a question that can't be."""
        check_fields(asked.fields, asked.ticker, asked.kind)
        heard = await self._reach.heard(asked.ticker)
        return await self._repository.look(lambda look: self._page(look, asked, heard))

    def _page(self, look: Look, asked: TicksQuestion, heard: Heard) -> Answer:
        cursor = begun(self._reach, look, asked, heard) if asked.cursor is None else _continued(asked, asked.cursor)
        told = _told(look, asked, cursor)
        gaps = look.gaps(cursor.ticker, cursor.start_ms, cursor.end_ms, limit=MAX_GAPS)
        complete = cursor.complete and not gaps
        if complete and asked.cursor is not None:
            # Between two pages what is old may have been removed.
            complete = self._reach.still_reaches(look, cursor.ticker, cursor.start_ms)
        is_start_said = asked.start_ms is not None or asked.cursor is not None
        now_ms = self._clock.wall_ms()
        closed = is_closed(complete=complete, is_start_said=is_start_said, end_ms=cursor.end_ms, now_ms=now_ms)
        closed = closed and self._reach.is_settled(look, cursor.ticker, cursor.end_ms, heard)
        if closed and asked.cursor is None:
            # How much is stored grows with every tick, and the bytes of a closed answer must not change with it. What a
            # cursor has brought along is a part of its question, which stays the same.
            cursor = msgspec.structs.replace(cursor, newest_id=EVERY_ROW)
        head = encode(
            {
                "ticker": cursor.ticker,
                "start": cursor.start_ms,
                "end": cursor.end_ms,
                "bounds": BOUNDS,
                "count": told.rows,
                "complete": complete,
                "gaps": [gap._asdict() for gap in gaps],
                "next_cursor": str(cursor.after(told.last)) if told.last is not None else None,
            }
        )
        # Not as a part of the object: a quarter of a megabyte would be copied twice more.
        body = b"".join((head[:-1], b',"data":[', told.text.encode(), b"]}"))
        return Answer(body, closed)

    async def latest(self, ticker: str) -> bytes:
        """The newest tick and its age: from the bus, which hears first, else the newest row. Raises NotFound."""
        now_ms = self._clock.wall_ms()
        event = await self._latest_heard(ticker)
        if event is not None:
            data, received_us = event
        else:
            row = await self._repository.last_row(ticker)
            if row is None:
                raise NotFound(f"Nothing of {ticker} is known yet.", field="ticker")
            data, received_us = row_json(row), row.received_us
        return data[:-1] + b',"age_ms":%d}' % max(0, now_ms - received_us // 1000)

    async def _latest_heard(self, ticker: str) -> tuple[bytes, int] | None:
        try:
            _, pictures = await self._bus.pictures([ticker])
        except BusUnavailable:
            return None
        picture = pictures.get(ticker)
        if picture is None or picture.tick is None or picture.tick.kind is not PublicationKind.TICK:
            return None
        place = encode({"source": Source.STREAM, "position": str(picture.tick.position)})
        event = place[:-1] + b"," + data_of(picture.tick)[1:]
        return event, decode_tick(picture.tick.payload).received_us

    async def at(self, ticker: str, time_ms: int, *, max_difference_ms: int | None = None) -> bytes:
        """The tick closest to a moment, and how far it is away; of two as close the earlier one, of one millisecond
        the last. `complete` says that no closer one was missed, `gaps` are those in which one may have been.

        Raises Impossible for a moment in the future, NotFound when no tick is so close.
        """
        if time_ms > self._clock.wall_ms():
            raise Impossible("time lies in the future.", field="time")
        far_ms = END_OF_TIME_MS if max_difference_ms is None else max_difference_ms
        until = Cursor.at_start(ticker, max(0, time_ms - far_ms), time_ms + 1, order="desc")
        after = Cursor.at_start(ticker, time_ms + 1, time_ms + far_ms + 1)

        heard = await self._reach.heard(ticker)

        def closest(look: Look) -> bytes | None:
            pages = (look.page(asked, _EVERYTHING_BELIEVED, limit=1, begun=False) for asked in (until, after))
            rows = [row for page in pages for row in page.rows]
            if not rows:
                return None
            row = min(rows, key=lambda row: abs(row.timestamp_ms - time_ms))
            distance_ms = abs(row.timestamp_ms - time_ms)
            told = {
                "time": time_ms,
                "difference_ms": distance_ms,
                **self._around(look, ticker, time_ms, distance_ms, heard),
            }
            return row_json(row)[:-1] + b"," + encode(told)[1:]

        found = await self._repository.look(closest)
        if found is None:
            near = "" if max_difference_ms is None else f" within {max_difference_ms} ms of that time"
            raise NotFound(f"There is no tick of {ticker}{near}.", field="time")
        return found

    def _around(self, look: Look, ticker: str, time_ms: int, distance_ms: int, heard: Heard) -> dict[str, object]:
        """Whether everything closer to a moment was heard, as far as it has passed, and the gaps in it."""
        if distance_ms == 0:
            return {"complete": True, "gaps": []}
        start_ms = max(0, time_ms - distance_ms + 1)
        end_ms = max(start_ms + 1, min(time_ms + distance_ms, heard.asked_ms))
        extent = self._reach.extent(look, ticker, heard)
        span = self._reach.judged(look, ticker, start_ms, end_ms, extent, heard)
        return missing(look, ticker, span)

    async def gaps(self, ticker: str, start_ms: int | None, end_ms: int | None, *, limit: int) -> dict[str, object]:
        """Recorded gaps that overlap the range. Raises Impossible for a range that can't be."""
        now_ms = self._clock.wall_ms()

        def overlapping(look: Look) -> tuple[int, int, list[StoredGap]]:
            extent = look.extent(ticker, stored_up_to=NOWHERE)
            start, end = range_of(start_ms, end_ms, first_ms=extent.first_ms, now_ms=now_ms)
            return start, end, look.gaps(ticker, start, end, limit=limit + 1)

        start, end, found = await self._repository.look(overlapping)
        return {
            "ticker": ticker,
            "start": start,
            "end": end,
            "bounds": BOUNDS,
            "count": min(limit, len(found)),
            "truncated": len(found) > limit,
            "data": [gap._asdict() for gap in found[:limit]],
        }

    async def believed(
        self, ticker: str, start_ms: int, end_ms: int, line: Line, write: Callable[[list[Row]], str], *, limit: int
    ) -> Believed:
        """The first `limit` rows of [start_ms, end_ms) in order, with commas between, and whether there are more:
        stream rows, and rows of other sources where the stream heard nothing. They are written as `line` says, or
        else by `write`, which writes the same.
        """
        everything = Cursor.at_start(ticker, start_ms, end_ms)
        return await self._repository.look(lambda look: _believed(look, everything, line, write, limit=limit))

    async def newest(
        self, ticker: str, line: Line, write: Callable[[list[Row]], str], *, limit: int, skip: int = 0
    ) -> Believed:
        """The newest rows, newest first, without the `skip` newest of them; believed ones alone, written as above."""
        everything = Cursor.at_start(ticker, 0, END_OF_TIME_MS, order="desc")
        return await self._repository.look(
            lambda look: _believed(look, everything, line, write, limit=skip + limit, skip=skip)
        )


def _believed(
    look: Look, asked: Cursor, line: Line, write: Callable[[list[Row]], str], *, limit: int, skip: int = 0
) -> Believed:
    found = look.believed(asked, line, limit=limit)
    if found is None:
        page = look.page(asked, _EVERYTHING_BELIEVED, limit=limit, begun=False)
        rows = page.rows[skip:]
        return Believed(write(rows), len(rows), page.more)
    left = max(0, found.rows - skip)
    text = found.text.split(line.end, skip)[-1] if left else ""
    return Believed(text.replace(line.end, ","), left, found.more)


def missing(look: Look, ticker: str, span: Span) -> dict[str, object]:
    """Whether everything of a range was heard, and the gaps in it."""
    gaps = look.gaps(ticker, span.start_ms, span.end_ms, limit=MAX_GAPS)
    return {"complete": span.complete and not gaps, "gaps": [gap._asdict() for gap in gaps]}


def check_fields(fields: Collection[str] | None, ticker: str, kind: Kind | None) -> None:
    """Raises Impossible for a field that no row of any kind has, and for fields of which a ticker of this kind has
    none, where it is known: rows of nothing would look like no rows.
    """
    if fields is None:
        return
    if unknown := sorted(set(fields) - ROW_FIELDS):
        what = f"There is no field {unknown[0][:64]!r}" if unknown[0] else "A field's name can't be empty"
        raise Impossible(f"{what}; there are {', '.join(sorted(ROW_FIELDS))}.", field="fields")
    if kind is not None and FIELDS_OF_KIND[kind].isdisjoint(fields):
        what = f"{ticker}, {'an' if kind[0] in 'aeiou' else 'a'} {kind}, has none of these fields"
        raise Impossible(f"{what}; it has {', '.join(sorted(FIELDS_OF_KIND[kind]))}.", field="fields")


def begun(reach: Reach, look: Look, asked: TicksQuestion, heard: Heard) -> Cursor:
    """Where a question for ticks begins, and what is known of its range."""
    span = reach.span(look, asked.ticker, asked.start_ms, asked.end_ms, heard)
    return Cursor.at_start(
        asked.ticker,
        span.start_ms,
        span.end_ms,
        order=asked.order or "asc",
        source=asked.source,
        newest_id=span.newest_id,
        complete=span.complete,
    )


def _told(look: Look, asked: TicksQuestion, cursor: Cursor) -> Text:
    """A page as JSON, its rows with commas between: by the database, where it can."""
    is_begun = asked.cursor is not None
    line = None if asked.kind is None else line_of(Format.NDJSON, cursor.ticker, asked.kind, asked.fields)
    text = None if line is None else look.text(cursor, line, limit=asked.limit, begun=is_begun)
    if text is not None:
        # JSON has no end of a line but between its tokens, and a row of ours has none at all.
        return text._replace(text=text.text.replace("\n", ","))
    page = look.page(cursor, Choice(source=cursor.source), limit=asked.limit, begun=is_begun)
    rows = [row_json(row) if asked.fields is None else chosen_json(row, asked.fields) for row in page.rows]
    return Text(b",".join(rows).decode(), len(rows), page.rows[-1] if page.more else None)


def _continued(asked: TicksQuestion, cursor: Cursor) -> Cursor:
    for field, said, meant in (
        ("ticker", asked.ticker, cursor.ticker),
        ("start", asked.start_ms, cursor.start_ms),
        ("end", asked.end_ms, cursor.end_ms),
        ("order", asked.order, cursor.order),
        ("source", asked.source, cursor.source),
    ):
        if said is not None and said != meant:
            raise Malformed(f"The cursor belongs to a question with another {field}.", field="cursor")
    return cursor
