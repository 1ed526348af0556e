"""The backplane in one of its forms, with a clock that the tests move."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

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
from cryptomarket.market.wire import Publication, PublicationKind

LOG_CAPACITY = 50
LOG_HARD_CAPACITY = 80


@dataclass
class Backplane:
    """Every protocol of the backplane. `advance` moves its time; `leave` is a consumer of a group that has died."""

    bus: Bus
    cache: Cache
    demand: Demand
    leases: Leases
    limiter: Limiter
    mailroom: Mailroom
    advance: Callable[[float], None]
    leave: Callable[[str], None]

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
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def advance(self, seconds: float) -> None:
        """Moves it."""
        self.now_s += seconds


@asynccontextmanager
async def memory() -> AsyncIterator[Backplane]:
    """The form in one process."""
    times = Times()
    leases = MemoryLeases(lambda: times.now_s)
    bus = MemoryBus(
        "epoch1", is_newest=leases.is_newest, log_capacity=LOG_CAPACITY, log_hard_capacity=LOG_HARD_CAPACITY
    )
    yield Backplane(
        bus=bus,
        cache=MemoryCache(lambda: times.now_s),
        demand=MemoryDemand(lambda: times.now_s),
        leases=leases,
        limiter=MemoryLimiter(),
        mailroom=MemoryMailroom(),
        advance=times.advance,
        leave=bus.leave,
    )


FORMS = {"memory": memory}
