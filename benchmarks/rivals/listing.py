"""What most people write: SQLAlchemy's ORM and a list of pydantic models, or pandas; on the same table.

python -m benchmarks.rivals.listing PORT DATABASE_URL
"""

import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pandas as pd
import uvicorn
from fastapi import Depends, FastAPI, Response
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Float, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from cryptomarket.db import driver_url
from cryptomarket.history.tables import price_tickers


class Base(DeclarativeBase):
    """What all models share."""

    metadata = price_tickers.metadata


class Tick(Base):
    """A row, as an object."""

    __table__ = price_tickers


class TickOut(BaseModel):
    """A row, as it is told."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    ticker: str
    epoch: str | None
    seq: int | None
    prev_seq: int | None
    source: str
    kind: str
    instrument_name: str
    timestamp_ms: int
    received_us: int
    published_us: int | None
    price: Decimal | None


def application(url: str) -> FastAPI:
    """One route."""
    engine = create_async_engine(driver_url(url))
    sessions = async_sessionmaker(engine)
    app = FastAPI()

    async def session() -> AsyncIterator[AsyncSession]:
        async with sessions() as one:
            yield one

    @app.get("/ticks", response_model=list[TickOut])
    async def ticks(ticker: str, start: int, end: int, limit: int = 10_000_000, db: AsyncSession = Depends(session)):  # type: ignore[no-untyped-def] # noqa: ANN202
        row = price_tickers.c
        asked = select(Tick).where(row.ticker == ticker, row.timestamp_ms >= start, row.timestamp_ms < end)
        return (await db.scalars(asked.order_by(row.timestamp_ms).limit(limit))).all()

    async def frame(ticker: str, start: int, end: int, db: AsyncSession) -> pd.DataFrame:
        row = price_tickers.c
        asked = select(*row).where(row.ticker == ticker, row.timestamp_ms >= start, row.timestamp_ms < end)
        found = await db.execute(asked.order_by(row.timestamp_ms))
        return pd.DataFrame(found.all(), columns=list(found.keys()))

    @app.get("/parquet")
    async def as_parquet(ticker: str, start: int, end: int, db: AsyncSession = Depends(session)) -> Response:
        return Response((await frame(ticker, start, end, db)).to_parquet(index=False))

    @app.get("/stats")
    async def stats(ticker: str, start: int, end: int, db: AsyncSession = Depends(session)) -> dict[str, Any]:
        row = price_tickers.c
        price = cast(row.price, Float)
        asked = select(func.count(), func.min(price), func.max(price), func.avg(price))
        found = await db.execute(asked.where(row.ticker == ticker, row.timestamp_ms >= start, row.timestamp_ms < end))
        return dict(zip(("count", "min", "max", "avg"), found.one(), strict=True))

    @app.get("/candles")
    async def candles(ticker: str, start: int, end: int, db: AsyncSession = Depends(session)) -> Response:
        rows = await frame(ticker, start, end, db)
        prices = rows.set_index(pd.to_datetime(rows.timestamp_ms, unit="ms")).price.astype(float)
        return Response(prices.resample("5min").ohlc().to_json(), media_type="application/json")

    return app


def main() -> None:
    """The command."""
    uvicorn.run(application(sys.argv[2]), port=int(sys.argv[1]), log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
