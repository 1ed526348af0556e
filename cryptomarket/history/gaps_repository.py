"""Recorded gaps of all tickers at once, for who watches over the gateway."""

from sqlalchemy import select

from cryptomarket.db import Database
from cryptomarket.history.rows import StoredGap
from cryptomarket.history.tables import gaps

_GAPS = select(*(gaps.c[name] for name in StoredGap._fields))


class GapsRepository:
    """Reads the ledger of gaps. It is small beside the ticks, and is read whole where no ticker is named."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def recent(self, start_ms: int, *, limit: int) -> list[StoredGap]:
        """Those that ended after `start_ms`, the latest end first, at most `limit`. Raises DatabaseUnavailable."""
        wanted = (
            _GAPS.where(gaps.c.to_ms > start_ms).order_by(gaps.c.to_ms.desc(), gaps.c.ticker, gaps.c.id).limit(limit)
        )
        async with self._db.read() as connection:
            return [StoredGap._make(row) for row in (await connection.execute(wanted)).all()]
