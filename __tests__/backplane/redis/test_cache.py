"""RedisCache."""

import asyncio

from cryptomarket.backplane.redis import RedisCache, RedisLink


async def test_read_once(link: RedisLink) -> None:
    """Of two who take at once, one gets the value, and it is gone."""
    cache = RedisCache(link)
    await cache.put("key", b"value", life_s=15)
    assert await cache.get("key") == b"value"
    taken = await asyncio.gather(cache.take("key"), cache.take("key"))
    assert sorted(taken, key=lambda value: value is None) == [b"value", None]
    assert await cache.get("key") is None


async def test_keys_by_literal_prefix(link: RedisLink) -> None:
    """A prefix is taken literally, and names what is alive."""
    cache = RedisCache(link)
    for key in ("a*:1", "a*:2", "ab:3"):
        await cache.put(key, b"", life_s=15)
    await cache.delete("a*:2")
    assert await cache.keys("a*") == ["a*:1"]


async def test_life(link: RedisLink) -> None:
    """Each value has its life at the server, in milliseconds."""
    await RedisCache(link).put("key", b"value", life_s=1.5)
    left_ms = await link.ask("PTTL", link.keys.cache("key"))
    assert isinstance(left_ms, int)
    assert 0 < left_ms <= 1500
