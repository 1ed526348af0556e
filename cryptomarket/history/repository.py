"""The SQL that writes history down, and finds the last of it."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar, cast

from sqlalchemy import and_, func, insert, select
from sqlalchemy.exc import DataError, IntegrityError

from cryptomarket.backplane.bus import Loss
from cryptomarket.db import Database
from cryptomarket.history.cursors import Cursor
from cryptomarket.history.look_repository import ROWS, Look, Page
from cryptomarket.history.rows import Choice, Row, StoredGap, StoredStatus, StoredTick
from cryptomarket.history.states_repository import state_of
from cryptomarket.history.tables import gaps, price_tickers, statuses
from cryptomarket.market.instruments import Kind
from cryptomarket.market.ticks import Gap, Source, Status, Tick
from cryptomarket.market.wire import Publication, summary_text

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
T = TypeVar("T")


class Unstorable(ValueError):
    """The database is there, and will not take these rows."""


class Heard(NamedTuple):
    """A publication and what it says; a tick's summary is taken from the payload, as it is spelled there."""

    publication: Publication
    word: Tick | Status | Gap


class Repository:
    """History in one database. Every call raises DatabaseUnavailable."""

    def __init__(self, db: Database) -> None:
        self._db = db

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
                    # An index has none, whoever says so: its lines are told without looking for one.
                    summary = None if word.kind is Kind.INDEX else summary_text(publication.payload)
                    ticks.append(place + self._tick_values(word, summary))
                case Gap():
                    payload = publication.payload.decode()
                    gap_rows.append((*place, word.from_ms, word.to_ms, word.cause.value, word.state.value, payload))
                case Status():
                    status_rows.append((*place, word.state.value, word.since_ms, word.age_ms, word.reason))
        await self.make_places(cast("int", tick[_TIMESTAMP]) for tick in ticks)
        try:
            await self._db.store(
                [
                    (price_tickers, _TICK_COLUMNS, ticks),
                    (gaps, _GAP_COLUMNS, gap_rows),
                    (statuses, _STATUS_COLUMNS, status_rows),
                ]
            )
        except (DataError, IntegrityError, OverflowError) as error:
            raise Unstorable(type(error).__name__) from error

    def _tick_values(self, tick: Tick, summary: str | None) -> tuple[object, ...]:
        return (
            Source.STREAM.value,
            tick.kind.value,
            tick.instrument_name,
            tick.timestamp_ms,
            tick.received_us,
            tick.published_us,
            self._db.driver_price(tick.price),
            summary,
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
        newest = ROWS.where(_row.ticker == ticker).order_by(_row.timestamp_ms.desc(), _row.id.desc()).limit(1)
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
            found = (await connection.execute(state_of(ticker, newest=True))).one_or_none()
        return StoredStatus(*found) if found is not None else None

    async def look(self, ask: Callable[[Look], T]) -> T:
        """What `ask` makes of one state of the database. It may take its time: see Database.look."""
        return await self._db.look(lambda connection: ask(Look(connection, self._db.writing)))

    async def page(self, asked: Cursor, choice: Choice, *, limit: int, begun: bool) -> Page:
        """See Look.page."""
        return await self.look(lambda look: look.page(asked, choice, limit=limit, begun=begun))

    async def gaps(self, ticker: str, start_ms: int, end_ms: int, *, limit: int) -> list[StoredGap]:
        """See Look.gaps."""
        return await self.look(lambda look: look.gaps(ticker, start_ms, end_ms, limit=limit))
