"""What can be asked of history, whoever asks."""

from collections.abc import Collection
from dataclasses import dataclass

import msgspec

from cryptomarket.backplane.bus import Bus, Picture
from cryptomarket.clock import Clock
from cryptomarket.errors import BusUnavailable, Impossible, Malformed, NotFound
from cryptomarket.history.cursors import Cursor, Order
from cryptomarket.history.repository import Extent, Look, Repository
from cryptomarket.history.rows import (
    ROW_FIELDS,
    Choice,
    Row,
    StoredStatus,
    StoredTick,
    chosen_json,
    row_json,
)
from cryptomarket.market.position import Position
from cryptomarket.market.ticks import FeedState, Source
from cryptomarket.market.wire import PublicationKind, data_of, decode_status, decode_tick, encode

MAX_ROWS = 10_000
MAX_GAPS = 1000
BOUNDS = "[start,end)"
_NOWHERE = Position("", 0)
_EVERYTHING_BELIEVED = Choice(believed_only=True)


@dataclass(frozen=True, slots=True)
class TicksQuestion:
    """Which rows of a ticker. None is "not said": from the first row, until now, every source, every field."""

    ticker: str
    start_ms: int | None = None
    end_ms: int | None = None
    order: Order | None = None
    source: Source | None = None
    cursor: Cursor | None = None
    limit: int = 1000
    fields: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class _Heard:
    """What the bus knows: up to where the log is stored, one ticker's picture, and whether the log gave something of it
    up that is not written down yet. None is "can't be found out".
    """

    stored_up_to: Position | None
    picture: Picture | None
    lost: bool = False

    def proves(self, extent: Extent, start_ms: int, end_ms: int) -> bool:
        """Whether every tick of [start_ms, end_ms) that was heard is among the stored ones."""
        if self.stored_up_to is None or extent.first_stream_ms is None or extent.settled_ms is None:
            return False
        if start_ms < extent.first_stream_ms or self.lost:
            return False
        # The exchange orders a channel: nothing older than a settled tick is still on its way.
        return end_ms <= extent.settled_ms or self._all_is_stored(self.stored_up_to.seq)

    def _all_is_stored(self, stored_up_to: int) -> bool:
        if self.picture is None or self.picture.status is None or self.picture.last_seq is None:
            return False
        is_live = decode_status(self.picture.status.payload).state is FeedState.LIVE
        return is_live and self.picture.last_seq <= stored_up_to


class History:
    """Answers about what was stored, as JSON where prices have to stay exact.

    `group` names the writers' consumer group on the bus: what it has acknowledged is stored.
    """

    def __init__(self, repository: Repository, bus: Bus, *, clock: Clock, group: str = "store") -> None:
        self._repository = repository
        self._bus = bus
        self._clock = clock
        self._group = group

    async def last_tick(self, ticker: str) -> StoredTick | None:
        return await self._repository.last_tick(ticker)

    async def last_status(self, ticker: str) -> StoredStatus | None:
        return await self._repository.last_status(ticker)

    async def ticks(self, asked: TicksQuestion) -> bytes:
        """A page of rows. Raises Malformed and Impossible for a question that can't be."""
        if asked.fields is not None and (unknown := sorted(set(asked.fields) - ROW_FIELDS)):
            raise Impossible(
                f"There is no field {unknown[0][:64]!r}; there are {', '.join(sorted(ROW_FIELDS))}.", field="fields"
            )
        heard = await self._heard(asked.ticker)
        async with self._repository.look() as look:
            cursor = await self._begun(look, asked, heard) if asked.cursor is None else _continued(asked, asked.cursor)
            begun = asked.cursor is not None
            page = await look.page(cursor, Choice(source=cursor.source), limit=asked.limit, begun=begun)
            gaps = await look.gaps(cursor.ticker, cursor.start_ms, cursor.end_ms, limit=MAX_GAPS)
        return encode(
            {
                "ticker": cursor.ticker,
                "start": cursor.start_ms,
                "end": cursor.end_ms,
                "bounds": BOUNDS,
                "count": len(page.rows),
                "complete": cursor.complete and not gaps,
                "gaps": [gap._asdict() for gap in gaps],
                "next_cursor": str(cursor.after(page.rows[-1])) if page.more else None,
                "data": [msgspec.Raw(_json_of(row, asked.fields)) for row in page.rows],
            }
        )

    async def _heard(self, ticker: str) -> _Heard:
        try:
            # In this order: what is acknowledged later than the picture was published says nothing against it.
            stored_up_to = await self._bus.acknowledged(self._group)
            # A loss that is written down by now is among the gaps, which are read later.
            lost = any(loss.ticker == ticker for loss in await self._bus.losses(self._group))
            head, pictures = await self._bus.pictures([ticker])
        except BusUnavailable:
            return _Heard(None, None)
        return _Heard(Position(head.epoch, stored_up_to), pictures.get(ticker), lost)

    async def _begun(self, look: Look, asked: TicksQuestion, heard: _Heard) -> Cursor:
        now_ms = self._clock.wall_ms()
        extent = await look.extent(asked.ticker, stored_up_to=heard.stored_up_to or _NOWHERE)
        start_ms, end_ms = _range(asked.start_ms, asked.end_ms, first_ms=extent.first_ms, now_ms=now_ms)
        complete = (
            end_ms <= now_ms
            and heard.proves(extent, start_ms, end_ms)
            and await look.was_live(asked.ticker, start_ms, end_ms)
        )
        return Cursor.at_start(
            asked.ticker,
            start_ms,
            end_ms,
            order=asked.order or "asc",
            source=asked.source,
            newest_id=extent.newest_id,
            complete=complete,
        )

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

    async def gaps(self, ticker: str, start_ms: int | None, end_ms: int | None, *, limit: int) -> dict[str, object]:
        """Recorded gaps that overlap the range. Raises Impossible for a range that can't be."""
        now_ms = self._clock.wall_ms()
        async with self._repository.look() as look:
            extent = await look.extent(ticker, stored_up_to=_NOWHERE)
            start, end = _range(start_ms, end_ms, first_ms=extent.first_ms, now_ms=now_ms)
            found = await look.gaps(ticker, start, end, limit=limit + 1)
        return {
            "ticker": ticker,
            "start": start,
            "end": end,
            "bounds": BOUNDS,
            "count": min(limit, len(found)),
            "truncated": len(found) > limit,
            "data": [gap._asdict() for gap in found[:limit]],
        }

    async def believed(self, ticker: str, start_ms: int, end_ms: int, *, limit: int) -> tuple[list[Row], bool]:
        """The first `limit` rows of [start_ms, end_ms) in order, and whether there are more: stream rows, and rows of
        other sources where the stream heard nothing.
        """
        everything = Cursor.at_start(ticker, start_ms, end_ms)
        page = await self._repository.page(everything, _EVERYTHING_BELIEVED, limit=limit, begun=False)
        return page.rows, page.more


def _range(start_ms: int | None, end_ms: int | None, *, first_ms: int | None, now_ms: int) -> tuple[int, int]:
    """[start, end) in milliseconds; what was not said is the first row, and now."""
    if start_ms is not None and start_ms > now_ms:
        raise Impossible("start lies in the future.", field="start")
    end = now_ms if end_ms is None else end_ms
    if start_ms is None:
        return min(end, end if first_ms is None else first_ms), end
    if start_ms >= end:
        raise Impossible("start must lie before end: a range is [start, end).", field="start")
    return start_ms, end


def _json_of(row: Row, fields: Collection[str] | None) -> bytes:
    return row_json(row) if fields is None else chosen_json(row, fields)


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
