"""The cache in memory stays as small as what it holds."""

import tracemalloc

from cryptomarket.backplane.memory import MemoryCache


async def test_a_value_that_is_renewed_for_ever_takes_no_more_room() -> None:
    """Promise: a person who is cached for 27 hours and renewed by each request costs one entry."""
    cache = MemoryCache(lambda: 0.0)
    tracemalloc.start()
    try:
        for _ in range(100):
            await cache.put("person", b"", life_s=97_200)
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(20_000):
            await cache.put("person", b"", life_s=97_200)
            await cache.put("key", b"", life_s=97_200)
            await cache.take("key")
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 100_000
