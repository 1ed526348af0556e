"""Links to a Redis, each as that of a process of its own, and what is said over them."""

import asyncio
import itertools
from collections.abc import AsyncIterator

from redis.backoff import NoBackoff

from __tests__.backplane.redis_server import RedisServer
from cryptomarket.backplane.bus import Fence, Outgoing
from cryptomarket.backplane.redis import Patience, RedisBus, RedisLeases, RedisLink
from cryptomarket.errors import BusUnavailable
from cryptomarket.market.wire import Publication, PublicationKind

DEADLINE_S = 20
NUMBERS = itertools.count(1)


def link_to(
    server: RedisServer | str,
    *,
    timeout_s: float = 10.0,
    replica_rest_s: float = 10.0,
    replica_url: str = "",
    read_replicas: bool = False,
) -> RedisLink:
    """A link under names that nobody else has. It tries again at once after a loss."""
    return RedisLink(
        server if isinstance(server, str) else server.url,
        "test",
        instance=f"p{next(NUMBERS)}",
        new_epoch=lambda: f"epoch{next(NUMBERS)}",
        replica_url=replica_url,
        read_replicas=read_replicas,
        patience=Patience(timeout_s=timeout_s, connect_timeout_s=1.0, replica_rest_s=replica_rest_s),
        backoff=NoBackoff(),
    )


async def fence_at(link: RedisLink, name: str = "slot:0", owner: str = "me") -> Fence:
    """A fence that is the newest of its name."""
    lease = await RedisLeases(link).acquire(name, owner, life_s=60)
    assert lease is not None
    return Fence(lease.name, lease.token)


def ticks(*tickers: str, payload: bytes = b'{"timestamp":1}') -> list[Outgoing]:
    return [Outgoing(PublicationKind.TICK, ticker, payload) for ticker in tickers]


async def heard(followed: AsyncIterator[list[Publication]], count: int) -> list[Publication]:
    """The next publications of a follower, until there are `count` of them."""
    found: list[Publication] = []
    async with asyncio.timeout(DEADLINE_S):
        while len(found) < count:
            found += await anext(followed)
    return found


def seqs(publications: list[Publication]) -> list[int]:
    return [publication.seq for publication in publications]


async def said_when_back(bus: RedisBus, link: RedisLink, *tickers: str) -> list[Publication]:
    """What is published, as soon as Redis takes it, by an owner that has just acquired the lease."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                return await bus.publish(ticks(*tickers), await fence_at(link))
            except BusUnavailable:
                await asyncio.sleep(0.01)  # sleep: another process tells nobody when it is ready
