"""Rows that were asked for rather than streamed: the only SQL of collecting, and of the closed minutes."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import and_, delete, exists, func, insert, select

from cryptomarket.db import Database
from cryptomarket.history.rows import StoredGap
from cryptomarket.history.tables import candles, collected, gaps, price_tickers
from cryptomarket.market.candles import Candle
from cryptomarket.market.ticks import GapState, Source, Tick
from cryptomarket.market.wire import encode_summary

_GAPS = select(*(gaps.c[name] for name in StoredGap._fields))
_CANDLE_KEYS = ("ticker", "start_ms")


class Errand(NamedTuple):
    """What one run of a job has asked for of a ticker: done once, however often it is asked."""

    job: str
    ticker: str
    scheduled_ms: int


class CollectionRepository:
    """Every call raises DatabaseUnavailable."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def keep(self, errand: Errand, ticks: Sequence[Tick], source: Source) -> bool:
        """Stores what an errand has brought, and that it was run, in one transaction; False when it had been run
        before, and nothing was stored.
        """
        await self._db.make_partitions(price_tickers, (tick.timestamp_ms for tick in ticks))
        async with self._db.begin() as connection:
            if await self._db.upsert(connection, collected, [errand._asdict()], keys=errand._fields) != 1:
                return False
            if ticks:
                await connection.execute(insert(price_tickers), [_values(tick, source) for tick in ticks])
        return True

    async def done(self, job: str, scheduled_ms: int) -> set[str]:
        """The tickers for which a job was run already at a time."""
        asked = select(collected.c.ticker).where(collected.c.job == job, collected.c.scheduled_ms == scheduled_ms)
        async with self._db.read() as connection:
            return set((await connection.execute(asked)).scalars())

    async def last_done(self, job: str) -> dict[str, int]:
        """The newest time for which a job was run, by ticker."""
        asked = select(collected.c.ticker, func.max(collected.c.scheduled_ms)).where(collected.c.job == job)
        async with self._db.read() as connection:
            rows = await connection.execute(asked.group_by(collected.c.ticker))
            return {ticker: last_ms for ticker, last_ms in rows}  # noqa: C416  rows are no pairs of types

    async def forget(self, job: str, *, before_ms: int) -> None:
        """Forgets the errands of a job that nobody can ask for again."""
        old = and_(collected.c.job == job, collected.c.scheduled_ms < before_ms)
        async with self._db.begin() as connection:
            await connection.execute(delete(collected).where(old))

    async def open_gaps(self, job: str, tickers: Sequence[str], *, limit: int) -> list[StoredGap]:
        """The newest recorded gaps of these tickers for which a job was not run yet. It is run at their ends."""
        was_run = exists().where(
            collected.c.job == job, collected.c.ticker == gaps.c.ticker, collected.c.scheduled_ms == gaps.c.to_ms
        )
        asked = (
            _GAPS.where(gaps.c.ticker.in_(tickers), gaps.c.state == GapState.RECORDED.value, ~was_run)
            .order_by(gaps.c.to_ms.desc(), gaps.c.id.desc())
            .limit(limit)
        )
        async with self._db.read() as connection:
            return [StoredGap._make(row) for row in (await connection.execute(asked)).all()]

    async def last_candle_ms(self, ticker: str) -> int | None:
        """When the newest kept minute of a ticker begins."""
        asked = select(func.max(candles.c.start_ms)).where(candles.c.ticker == ticker)
        async with self._db.read() as connection:
            found: int | None = (await connection.execute(asked)).scalar_one()
        return found

    async def first_tick_ms(self, ticker: str, *, from_ms: int) -> int | None:
        """The exchange time of a ticker's first row at or after a time."""
        mine = (price_tickers.c.ticker == ticker, price_tickers.c.timestamp_ms >= from_ms)
        asked = select(price_tickers.c.timestamp_ms).where(*mine).order_by(price_tickers.c.timestamp_ms).limit(1)
        async with self._db.read() as connection:
            found: int | None = (await connection.execute(asked)).scalar_one_or_none()
        return found

    async def keep_candles(self, ticker: str, minutes: Sequence[Candle]) -> None:
        """Keeps closed minutes; one that is kept already is told anew."""
        rows = [
            {
                "ticker": ticker,
                "start_ms": candle.start_ms,
                "open": candle.open,
                "high": candle.high,
                "low": candle.low,
                "close": candle.close,
                "ticks": candle.ticks,
                "first_ms": candle.first_ms,
                "last_ms": candle.last_ms,
                "source": candle.source,
                "revised": int(candle.is_revised),
            }
            for candle in minutes
        ]
        async with self._db.begin() as connection:
            await self._db.upsert(
                connection,
                candles,
                rows,
                keys=_CANDLE_KEYS,
                update=[column.name for column in candles.columns if column.name not in _CANDLE_KEYS],
            )


def _values(tick: Tick, source: Source) -> dict[str, object]:
    return {
        "ticker": tick.ticker,
        "source": source.value,
        "kind": tick.kind.value,
        "instrument_name": tick.instrument_name,
        "timestamp_ms": tick.timestamp_ms,
        "received_us": tick.received_us,
        "price": tick.price,
        "summary": encode_summary(tick.summary).decode() if tick.summary is not None else None,
    }
