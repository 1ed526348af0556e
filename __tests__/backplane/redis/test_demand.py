"""RedisDemand."""

import asyncio

from cryptomarket.backplane.redis import RedisDemand, RedisLink


async def test_union(link: RedisLink) -> None:
    """The union of what is wanted now: a new want replaces, a lapsed one is left out, an empty one wants nothing."""
    demand = RedisDemand(link)
    await demand.want("one", ["btc_usd", "eth_usd"], life_s=60)
    await demand.want("two", ["sol_usd"], life_s=0)
    await demand.want("three", [], life_s=60)
    assert await demand.wanted() == {"btc_usd", "eth_usd"}
    await demand.want("one", ["eth_usd"], life_s=60)
    assert await demand.wanted() == {"eth_usd"}


async def test_changed(link: RedisLink) -> None:
    """What another process says ends the wait; the same said again does not."""
    demand, other = RedisDemand(link), RedisDemand(link)
    await demand.wanted()
    async with asyncio.timeout(5):
        waiting = asyncio.ensure_future(demand.changed(wait_s=60))
        await other.want("other", ["btc_usd"], life_s=60)
        await waiting
    await other.want("other", ["btc_usd"], life_s=60)
    waiting = asyncio.ensure_future(demand.changed(wait_s=0.05))
    assert await demand.wanted() == {"btc_usd"}
    await waiting
