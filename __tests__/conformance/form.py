"""The backplane in one of its forms, with a clock that the tests move."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import time_machine

from __tests__.backplane.redis_server import OLDEST, REDIS_SERVER, shared_server
from __tests__.backplane.redis_time import grow_older
from __tests__.backplane.redis_world import link_to
from cryptomarket.backplane.bus import Bus, Fence, Outgoing
from cryptomarket.backplane.cache import Cache
from cryptomarket.backplane.demand import Demand
from cryptomarket.backplane.lease import Lease, Leases
from cryptomarket.backplane.limiter import Limiter
from cryptomarket.backplane.mailroom import Mailroom
from cryptomarket.backplane.memory import (
    MemoryBus,
    MemoryCache,
    MemoryDemand,
    MemoryLeases,
    MemoryLimiter,
    MemoryMailroom,
)
from cryptomarket.backplane.redis import (
    RedisBus,
    RedisCache,
    RedisDemand,
    RedisLeases,
    RedisLimiter,
    RedisMailroom,
)
from cryptomarket.market.wire import Publication, PublicationKind

DEAD_S = 30
LOG_CAPACITY = 50
LOG_HARD_CAPACITY = 80


@dataclass
class Backplane:
    """Every protocol of the backplane. `advance` moves its time; after `leave` the consumers of a group are dead, and
    whoever consumes by `bus` is another process.
    """

    bus: Bus
    cache: Cache
    demand: Demand
    leases: Leases
    limiter: Limiter
    mailroom: Mailroom
    advance: Callable[[float], Awaitable[None]]
    leave: Callable[[str], Awaitable[None]]

    async def fence(self, name: str = "slot:0", owner: str = "me") -> Fence:
        """A fence that is the newest of its name."""
        lease = await self.leases.acquire(name, owner, life_s=60)
        assert lease is not None
        return fence_of(lease)

    async def say(self, fence: Fence, *tickers: str, kind: PublicationKind = PublicationKind.TICK) -> list[Publication]:
        """Publishes one word for each of these tickers."""
        return await self.bus.publish([Outgoing(kind, ticker, b'{"t":1}') for ticker in tickers], fence)


def fence_of(lease: Lease) -> Fence:
    """What a lease proves."""
    return Fence(lease.name, lease.token)


class Times:
    """A clock that stands until it is moved, and the wall's, which goes; the limiter's library reads that one."""

    def __init__(self, wall: time_machine.Traveller) -> None:
        self.now_s = 1000.0
        self._wall = wall

    async def advance(self, seconds: float) -> None:
        """Moves both."""
        self.now_s += seconds
        self._wall.shift(seconds)


@asynccontextmanager
async def memory() -> AsyncIterator[Backplane]:
    """The form in one process."""
    with time_machine.travel(1_800_000_000, tick=True) as wall:
        times = Times(wall)
        leases = MemoryLeases(lambda: times.now_s)
        bus = MemoryBus(
            "epoch1", is_newest=leases.is_newest, log_capacity=LOG_CAPACITY, log_hard_capacity=LOG_HARD_CAPACITY
        )

        async def leave(group: str) -> None:
            bus.leave(group)

        yield Backplane(
            bus=bus,
            cache=MemoryCache(lambda: times.now_s),
            demand=MemoryDemand(lambda: times.now_s),
            leases=leases,
            limiter=MemoryLimiter(),
            mailroom=MemoryMailroom(),
            advance=times.advance,
            leave=leave,
        )


@asynccontextmanager
async def redis(program: str = REDIS_SERVER) -> AsyncIterator[Backplane]:
    """The form on a real redis-server, which is emptied first."""
    server = shared_server(program)
    client = server.client()
    client.flushall()

    def new_bus(dead_s: float) -> RedisBus:
        return RedisBus(link, log_capacity=LOG_CAPACITY, log_hard_capacity=LOG_HARD_CAPACITY, dead_s=dead_s)

    async with AsyncExitStack() as stack:
        stack.callback(client.close)
        link = await stack.enter_async_context(link_to(server, timeout_s=20))
        bus = await stack.enter_async_context(new_bus(DEAD_S))

        async def advance(seconds: float) -> None:
            grow_older(client, seconds)

        async def leave(group: str) -> None:
            form.bus = await stack.enter_async_context(new_bus(dead_s=0))

        form = Backplane(
            bus=bus,
            cache=RedisCache(link),
            demand=RedisDemand(link),
            leases=RedisLeases(link),
            limiter=RedisLimiter(link),
            mailroom=RedisMailroom(link),
            advance=advance,
            leave=leave,
        )
        yield form


FORMS: dict[str, Callable[[], AbstractAsyncContextManager[Backplane]]] = {
    "memory": memory,
    "redis": redis,
    "redis 6.2": partial(redis, OLDEST),
}
