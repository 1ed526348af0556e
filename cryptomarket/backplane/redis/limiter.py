"""Limits on Redis, by the server's clock."""

from cryptomarket.backplane.limiter import Room
from cryptomarket.backplane.redis.answers import as_bytes, as_list
from cryptomarket.backplane.redis.link import RedisLink
from cryptomarket.backplane.redis.script import Script

_TAKE = Script("take")


class RedisLimiter:
    """`Limiter` on Redis. Bound: `limit` entries per window, gone a second after the period of the last take."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def take(self, key: str, *, limit: int, period_s: int) -> Room:
        """See Limiter.take."""
        return await self._room("take", key, limit, period_s)

    async def look(self, key: str, *, limit: int, period_s: int) -> Room:
        """See Limiter.look."""
        return await self._room("look", key, limit, period_s)

    async def clear(self, key: str, *, limit: int, period_s: int) -> None:
        """See Limiter.clear."""
        await self._link.ask("DEL", self._link.keys.limit(key, limit, period_s))

    async def _room(self, verb: str, key: str, limit: int, period_s: int) -> Room:
        answer = as_list(await self._link.run(_TAKE, key, limit, period_s, verb))
        allowed, remaining, wait_us = (int(as_bytes(part)) for part in answer)
        return Room(bool(allowed), limit, remaining, wait_us / 1_000_000)
