"""The only SQL of this room."""

import operator
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement, Select, and_, exists, func, insert, literal, or_, select, tuple_, union_all
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from cryptomarket.backplane.bus import Loss
from cryptomarket.db import Database
from cryptomarket.history.cursors import Cursor
from cryptomarket.history.lines_repository import LinesRepository
from cryptomarket.history.rows import Choice, Row, StoredGap, StoredStatus, StoredTick
from cryptomarket.history.tables import gaps, price_tickers, statuses
from cryptomarket.market.candles import PricePoint
from cryptomarket.market.position import Position
from cryptomarket.market.ticks import FeedState, Gap, Source, Status, Tick
from cryptomarket.market.wire import Publication, encode_summary

_POSITION = ("ticker", "epoch", "seq")
_TICK_COLUMNS = (
    *(*_POSITION, "prev_seq", "source", "kind", "instrument_name"),
    *("timestamp_ms", "received_us", "published_us", "price", "summary"),
)
_TIMESTAMP = _TICK_COLUMNS.index("timestamp_ms")
_GAP_COLUMNS = (*_POSITION, "prev_seq", "from_ms", "to_ms", "cause", "state", "payload")
_OF_UNPUBLISHED = ("ticker", "from_ms", "to_ms", "cause")
_STATUS_COLUMNS = (*_POSITION, "prev_seq", "state", "since_ms", "age_ms", "reason")

_row = price_tickers.c
_ROWS = select(*(_row[name] for name in Row._fields))
_PRICES = select(*(_row[name] for name in PricePoint._fields))
_GAPS = select(*(gaps.c[name] for name in StoredGap._fields))
_STATUSES = select(*(statuses.c[name] for name in StoredStatus._fields))


class Unstorable(ValueError):
    """The database is there, and will not take these rows."""


class Heard(NamedTuple):
    """A publication and what it says."""

    publication: Publication
    word: Tick | Status | Gap


class Page(NamedTuple):
    """Rows in the order of the cursor that asked, and whether more follow."""

    rows: list[Row]
    more: bool


class Extent(NamedTuple):
    """The exchange times of a ticker's first row, of its first stream row, and of the stream row before which no other
    is still on its way; and the id above which no row of any ticker is committed yet.
    """

    first_ms: int | None
    first_stream_ms: int | None
    settled_ms: int | None
    newest_id: int


def _of(ticker: str, choice: Choice) -> ColumnElement[bool]:
    mine = _row.ticker == ticker
    if choice.source is not None:
        mine = and_(mine, _row.source == choice.source.value)
    if not choice.believed_only:
        return mine
    later = price_tickers.alias("stream_rows")
    before_stream = ~exists().where(
        later.c.ticker == ticker, later.c.source == Source.STREAM.value, later.c.timestamp_ms <= _row.timestamp_ms
    )
    in_gap = exists().where(
        gaps.c.ticker == ticker, gaps.c.from_ms <= _row.timestamp_ms, gaps.c.to_ms > _row.timestamp_ms
    )
    return and_(mine, or_(_row.source == Source.STREAM.value, before_stream, in_gap))


def _beyond(cursor: Cursor) -> ColumnElement[bool]:
    # Within one source either all rows have a position or none has, so no NULL is ever compared.
    keys: list[ColumnElement[Any]] = [_row.id]
    told: list[object] = [cursor.row_id]
    if cursor.epoch is not None:
        keys, told = [_row.epoch, _row.seq, *keys], [cursor.epoch, cursor.seq, *told]
    passed = operator.gt if cursor.order == "asc" else operator.lt
    reached = operator.ge if cursor.order == "asc" else operator.le
    source = cursor.row_source.value
    return and_(
        # This bound alone is what lets the index be entered at the cursor.
        reached(_row.timestamp_ms, cursor.timestamp_ms),
        or_(
            passed(_row.timestamp_ms, cursor.timestamp_ms),
            passed(_row.source, source),
            and_(_row.source == source, passed(tuple_(*keys), tuple(told))),
        ),
    )


def _in_order(rows: Select[Any], order: str) -> Select[Any]:
    keys = (_row.timestamp_ms, _row.source, _row.epoch, _row.seq, _row.id)
    return rows.order_by(*(keys if order == "asc" else (key.desc() for key in keys)))


def _states(ticker: str, *conditions: ColumnElement[bool], newest: bool) -> Select[Any]:
    keys = (statuses.c.since_ms, statuses.c.id)
    one = _STATUSES.where(statuses.c.ticker == ticker, *conditions).limit(1)
    return one.order_by(*(key.desc() for key in keys)) if newest else one.order_by(*keys)


class Repository:
    """History in one database. Every call raises DatabaseUnavailable."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.lines = LinesRepository(db)

    async def make_places(self, timestamps_ms: Iterable[int]) -> None:
        """Sees to it that the database has a place for ticks of these times, whatever it divides them by."""
        await self._db.make_partitions(price_tickers, timestamps_ms)

    async def keep(self, heard: Sequence[Heard]) -> None:
        """Stores publications in one transaction, each once however often it is handed in. Raises Unstorable."""
        ticks, gap_rows, status_rows = [], [], []
        for publication, word in heard:
            place = (publication.ticker, publication.position.epoch, publication.seq, publication.prev_seq)
            match word:
                case Tick():
                    ticks.append(place + self._tick_values(word))
                case Gap():
                    payload = publication.payload.decode()
                    gap_rows.append((*place, word.from_ms, word.to_ms, word.cause.value, word.state.value, payload))
                case Status():
                    status_rows.append((*place, word.state.value, word.since_ms, word.age_ms, word.reason))
        await self.make_places(cast("int", tick[_TIMESTAMP]) for tick in ticks)
        try:
            async with self._db.begin() as connection:
                await self._db.insert_new(connection, price_tickers, _TICK_COLUMNS, ticks)
                await self._db.insert_new(connection, gaps, _GAP_COLUMNS, gap_rows)
                await self._db.insert_new(connection, statuses, _STATUS_COLUMNS, status_rows)
        except (DataError, IntegrityError, OverflowError) as error:
            raise Unstorable(type(error).__name__) from error

    def _tick_values(self, tick: Tick) -> tuple[object, ...]:
        return (
            Source.STREAM.value,
            tick.kind.value,
            tick.instrument_name,
            tick.timestamp_ms,
            tick.received_us,
            tick.published_us,
            self._db.driver_price(tick.price),
            encode_summary(tick.summary).decode() if tick.summary is not None else None,
        )

    async def around(self, lost: Loss) -> tuple[int | None, int | None]:
        """The exchange times of the last stream row before what was lost of a ticker, and of the first after it."""
        epoch, mine = lost.first.epoch, select(_row.timestamp_ms).where(_row.ticker == lost.ticker).limit(1)
        before = mine.where(_row.epoch == epoch, _row.seq < lost.first.seq).order_by(_row.seq.desc())
        after = mine.where(_row.epoch == epoch, _row.seq > lost.last_seq).order_by(_row.seq)
        earlier = mine.where(_row.source == Source.STREAM.value, _row.epoch != epoch).order_by(_row.timestamp_ms.desc())
        if lost.first_ms is not None:
            earlier = earlier.where(_row.timestamp_ms <= lost.first_ms)
        asked = select(func.coalesce(before.scalar_subquery(), earlier.scalar_subquery()), after.scalar_subquery())
        async with self._db.read() as connection:
            before_ms, after_ms = (await connection.execute(asked)).one()
        return before_ms, after_ms

    async def keep_unpublished(self, found: Sequence[Gap]) -> None:
        """Stores gaps that were never published, each once however often it is handed in."""
        async with self._db.begin() as connection:
            for gap in found:
                row = {
                    "ticker": gap.ticker,
                    "from_ms": gap.from_ms,
                    "to_ms": gap.to_ms,
                    "cause": gap.cause.value,
                    "state": gap.state.value,
                }
                same = and_(gaps.c.epoch.is_(None), *(gaps.c[name] == row[name] for name in _OF_UNPUBLISHED))
                if (await connection.execute(select(gaps.c.id).where(same).limit(1))).first() is None:
                    await connection.execute(insert(gaps).values(row))

    async def last_row(self, ticker: str) -> Row | None:
        """The newest stream row of a ticker; the newest of another source when it never was streamed."""
        newest = _ROWS.where(_row.ticker == ticker).order_by(_row.timestamp_ms.desc(), _row.id.desc()).limit(1)
        async with self._db.read() as connection:
            found = (await connection.execute(newest.where(_row.source == Source.STREAM.value))).one_or_none()
            if found is None:
                found = (await connection.execute(newest)).one_or_none()
        return Row(*found) if found is not None else None

    async def last_tick(self, ticker: str) -> StoredTick | None:
        """The tick of the newest stream row of a ticker, with its position."""
        row = await self.last_row(ticker)
        if row is None or row.source != Source.STREAM.value:
            return None
        return StoredTick(row.tick, row.epoch, row.seq)

    async def last_status(self, ticker: str) -> StoredStatus | None:
        """The last feed state that was stored of a ticker."""
        async with self._db.read() as connection:
            found = (await connection.execute(_states(ticker, newest=True))).one_or_none()
        return StoredStatus(*found) if found is not None else None

    @asynccontextmanager
    async def look(self) -> AsyncIterator["Look"]:
        """One look: all that is asked in the block is answered from one state of the database."""
        async with self._db.read() as connection:
            yield Look(connection)

    async def page(self, asked: Cursor, choice: Choice, *, limit: int, begun: bool) -> Page:
        """See Look.page."""
        async with self.look() as look:
            return await look.page(asked, choice, limit=limit, begun=begun)

    async def gaps(self, ticker: str, start_ms: int, end_ms: int, *, limit: int) -> list[StoredGap]:
        """See Look.gaps."""
        async with self.look() as look:
            return await look.gaps(ticker, start_ms, end_ms, limit=limit)


class Look:
    """One state of the database, and what can be read in it. Lives inside `Repository.look`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def page(self, asked: Cursor, choice: Choice, *, limit: int, begun: bool) -> Page:
        """At most `limit` rows of the cursor's question: after its row when it has `begun`, else from the start."""
        wanted = _in_order(_ROWS, asked.order).where(
            _of(asked.ticker, choice),
            _row.timestamp_ms >= asked.start_ms,
            _row.timestamp_ms < asked.end_ms,
            _row.id <= asked.newest_id,
        )
        if begun:
            wanted = wanted.where(_beyond(asked))
        found = [Row._make(row) for row in (await self._connection.execute(wanted.limit(limit + 1))).all()]
        return Page(found[:limit], len(found) > limit)

    async def gaps(self, ticker: str, start_ms: int, end_ms: int, *, limit: int) -> list[StoredGap]:
        """Recorded gaps that overlap [start_ms, end_ms), oldest first."""
        overlapping = (
            _GAPS.where(gaps.c.ticker == ticker, gaps.c.to_ms > start_ms, gaps.c.from_ms < end_ms)
            .order_by(gaps.c.from_ms, gaps.c.to_ms, gaps.c.id)
            .limit(limit)
        )
        return [StoredGap._make(row) for row in (await self._connection.execute(overlapping)).all()]

    async def prices(
        self, ticker: str, start_ms: int, end_ms: int, *, newest_id: int, at_once: int = 5000
    ) -> AsyncGenerator[list[PricePoint], None]:
        """The believed prices of [start_ms, end_ms) in order, in pieces, so that no range is ever held whole."""
        wanted = _in_order(_PRICES, "asc").where(
            _of(ticker, Choice(believed_only=True)),
            _row.timestamp_ms >= start_ms,
            _row.timestamp_ms < end_ms,
            _row.id <= newest_id,
            _row.price.is_not(None),
        )
        async with self._connection.stream(wanted, execution_options={"yield_per": at_once}) as result:
            async for piece in result.partitions():
                yield [PricePoint._make(row) for row in piece]

    async def extent(self, ticker: str, *, stored_up_to: Position) -> Extent:
        """How far the rows of a ticker reach, where everything of an epoch up to a position is stored."""
        mine = select(_row.timestamp_ms).where(_row.ticker == ticker).limit(1)
        streamed = mine.where(_row.source == Source.STREAM.value)
        settled = streamed.where(or_(_row.epoch != stored_up_to.epoch, _row.seq <= stored_up_to.seq))
        asked = select(
            mine.order_by(_row.timestamp_ms).scalar_subquery(),
            streamed.order_by(_row.timestamp_ms).scalar_subquery(),
            settled.order_by(_row.timestamp_ms.desc()).scalar_subquery(),
            func.coalesce(select(func.max(_row.id)).scalar_subquery(), 0),
        )
        return Extent._make((await self._connection.execute(asked)).one())

    async def was_live(self, ticker: str, start_ms: int, end_ms: int) -> bool:
        """Whether the feed was live throughout [start_ms, end_ms), as far as stored states and ticks tell.

        A state's own time is this gateway's clock and a tick's is the exchange's, so the edges are moved to the ticks:
        a feed is live from the tick that made it so, and one that broke off is believed up to its last tick.
        """
        since = statuses.c.since_ms
        dark = _STATUSES.where(
            statuses.c.ticker == ticker, since >= start_ms, since < end_ms, statuses.c.state != FeedState.LIVE.value
        )
        told = await self._first_of_each(
            {
                "dark": dark.limit(1),
                "before": _states(ticker, since <= start_ms, newest=True),
                "begun": _states(ticker, since > start_ms, newest=False),
                "ended": _states(ticker, since >= end_ms, newest=False),
            }
        )
        if "dark" in told:
            return False
        before, begun, ended = told.get("before"), told.get("begun"), told.get("ended")
        if before is None or before.state != FeedState.LIVE:
            first_ms = None if begun is None else await self._tick_ms(begun, after=True)
            if begun is None or begun.state != FeedState.LIVE or first_ms is None or first_ms > start_ms:
                return False
        if ended is None or ended.state in (FeedState.LIVE, FeedState.HALTED, FeedState.EXPIRED):
            return True
        last_ms = await self._tick_ms(ended, after=False)
        return last_ms is None or last_ms >= end_ms

    async def _first_of_each(self, asked: Mapping[str, Select[Any]]) -> dict[str, StoredStatus]:
        labelled = [
            select(literal(label).label("asked"), *single.subquery(label).columns) for label, single in asked.items()
        ]
        found = (await self._connection.execute(union_all(*labelled))).all()
        return {label: StoredStatus._make(status) for label, *status in found}

    async def _tick_ms(self, status: StoredStatus, *, after: bool) -> int | None:
        mine = select(_row.timestamp_ms).where(_row.ticker == status.ticker, _row.epoch == status.epoch).limit(1)
        nearest = (
            mine.where(_row.seq > status.seq).order_by(_row.seq)
            if after
            else mine.where(_row.seq < status.seq).order_by(_row.seq.desc())
        )
        return cast("int | None", (await self._connection.execute(nearest)).scalar_one_or_none())
