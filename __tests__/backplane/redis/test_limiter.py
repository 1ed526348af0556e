"""RedisLimiter."""

import asyncio

from cryptomarket.backplane.redis import RedisLimiter, RedisLink


async def test_window(link: RedisLink) -> None:
    """Of many at once exactly `limit` pass; a refusal tells when there is room, and clear forgets."""
    limiter = RedisLimiter(link)
    rooms = await asyncio.gather(*(limiter.take("key", limit=5, period_s=60) for _ in range(20)))
    assert sum(room.allowed for room in rooms) == 5
    full = await limiter.look("key", limit=5, period_s=60)
    assert (full.allowed, full.limit, full.remaining) == (False, 5, 0)
    assert 50 < full.retry_after_s <= 60
    await limiter.clear("key", limit=5, period_s=60)
    assert (await limiter.look("key", limit=5, period_s=60)).remaining == 5
