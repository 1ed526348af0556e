"""What most people write: SQLAlchemy's ORM, and a list of pydantic models; on the same table.

python -m benchmarks.rivals.listing PORT DATABASE_URL
"""

import sys
from collections.abc import AsyncIterator
from decimal import Decimal

import uvicorn
from fastapi import Depends, FastAPI
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
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

    return app


def main() -> None:
    """The command."""
    uvicorn.run(application(sys.argv[2]), port=int(sys.argv[1]), log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
