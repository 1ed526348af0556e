"""What a follower hears."""

import asyncio
from collections.abc import AsyncIterator

from cryptomarket.market.wire import Publication

DEADLINE_S = 20


async def heard(followed: AsyncIterator[list[Publication]], count: int) -> list[Publication]:
    """The next publications of a follower, until there are `count` of them."""
    found: list[Publication] = []
    async with asyncio.timeout(DEADLINE_S):
        while len(found) < count:
            found += await anext(followed)
    return found


def seqs(publications: list[Publication]) -> list[int]:
    return [publication.seq for publication in publications]
