"""The ledger of gaps as a whole: what was missed of any ticker, for who watches over the gateway."""

from pydantic import BaseModel, Field

from cryptomarket.clock import Clock
from cryptomarket.db import Database
from cryptomarket.history.gaps_repository import GapsRepository
from cryptomarket.history.questions import MAX_GAPS
from cryptomarket.history.schemas import RecordedGap

_HOUR_MS = 3_600_000


class RecentGaps(BaseModel):
    """Recorded gaps of all tickers, the latest end first."""

    start: int = Field(description="No gap of these ended before, in milliseconds", examples=[1790161513481])
    end: int = Field(description="Now, in milliseconds", examples=[1790165113481])
    count: int = Field(examples=[1])
    truncated: bool = Field(description="Whether there are more", examples=[False])
    data: list[RecordedGap]


class Ledger:
    """Answers from the database, at most MAX_GAPS at once."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._repository = GapsRepository(database)
        self._clock = clock

    async def recent(self, hours: int) -> RecentGaps:
        """What was recorded as missing in the last hours. Raises DatabaseUnavailable."""
        now_ms = self._clock.wall_ms()
        start_ms = now_ms - hours * _HOUR_MS
        found = await self._repository.recent(start_ms, limit=MAX_GAPS + 1)
        told = [RecordedGap.model_validate(gap._asdict()) for gap in found[:MAX_GAPS]]
        return RecentGaps(start=start_ms, end=now_ms, count=len(told), truncated=len(found) > MAX_GAPS, data=told)
