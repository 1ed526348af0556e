"""Persons are written down by the job as they are at shutdown."""

from __tests__.accounts.world import World
from cryptomarket.accounts.jobs import flush_persons


async def test_a_flush_tells_how_many(world: World) -> None:
    """Promise: nobody in the cache is nobody written; twice does no harm."""
    for _ in range(2):
        assert await flush_persons(world.parts.profiles) == {"persons": 0}
