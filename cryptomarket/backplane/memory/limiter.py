"""Limits in this process, by the `limits` library's moving window."""

import time

from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from cryptomarket.backplane.limiter import Room


def window_of(limit: int, period_s: int) -> RateLimitItemPerSecond:
    """`limit` in any `period_s` seconds, as the library calls it."""
    return RateLimitItemPerSecond(limit, period_s)


class MemoryLimiter:
    """`Limiter` in one process."""

    def __init__(self) -> None:
        self._windows = MovingWindowRateLimiter(MemoryStorage())

    async def take(self, key: str, *, limit: int, period_s: int) -> Room:
        """See Limiter.take."""
        allowed = await self._windows.hit(window_of(limit, period_s), key)
        room = await self.look(key, limit=limit, period_s=period_s)
        return Room(allowed, room.limit, room.remaining, room.retry_after_s)

    async def look(self, key: str, *, limit: int, period_s: int) -> Room:
        """See Limiter.look."""
        stats = await self._windows.get_window_stats(window_of(limit, period_s), key)
        wait_s = max(0.0, stats.reset_time - time.time()) if stats.remaining == 0 else 0.0
        return Room(stats.remaining > 0, limit, stats.remaining, wait_s)

    async def clear(self, key: str, *, limit: int, period_s: int) -> None:
        """See Limiter.clear."""
        await self._windows.clear(window_of(limit, period_s), key)
