"""Short-lived values on Redis."""

import re

from cryptomarket.backplane.redis.answers import as_bytes, as_list
from cryptomarket.backplane.redis.link import RedisLink

_PATTERN = re.compile(r"([*?\[\]\\])")


class RedisCache:
    """`Cache` on Redis. Bound: each value has its life, and is gone with it."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def put(self, key: str, value: bytes, *, life_s: float) -> None:
        """See Cache.put."""
        await self._link.ask("SET", self._link.keys.cache(key), value, "PX", max(1, round(life_s * 1000)))

    async def get(self, key: str) -> bytes | None:
        """See Cache.get."""
        value = await self._link.ask("GET", self._link.keys.cache(key))
        return None if value is None else as_bytes(value)

    async def take(self, key: str) -> bytes | None:
        """See Cache.take."""
        value = await self._link.ask("GETDEL", self._link.keys.cache(key))
        return None if value is None else as_bytes(value)

    async def delete(self, key: str) -> None:
        """See Cache.delete."""
        await self._link.ask("DEL", self._link.keys.cache(key))

    async def keys(self, prefix: str) -> list[str]:
        """See Cache.keys. Walks through all keys of the server in steps of a thousand."""
        before = self._link.keys.cache("")
        pattern = _PATTERN.sub(r"\\\1", before + prefix) + "*"
        found: set[str] = set()
        cursor = b"0"
        while True:
            step = as_list(await self._link.ask("SCAN", cursor, "MATCH", pattern, "COUNT", 1000))
            found.update(as_bytes(key).decode().removeprefix(before) for key in as_list(step[1]))
            cursor = as_bytes(step[0])
            if cursor == b"0":
                return sorted(found)
