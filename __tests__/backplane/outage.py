"""A backplane in memory that can be taken away: every call then says so, and whoever waits is told at once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from typing import TypeVar

from cryptomarket.backplane.bus import Fence, Loss, Notice, Outgoing, Picture, Standing
from cryptomarket.backplane.lease import Lease, Leases
from cryptomarket.backplane.memory import MemoryBus, MemoryCache, MemoryDemand, MemoryLeases
from cryptomarket.errors import BusUnavailable
from cryptomarket.market.position import Position
from cryptomarket.market.wire import Publication

Answer = TypeVar("Answer")
AWAY = "The bus cannot be reached."


class Outage:
    """Whether the backplane is away, and how often it was asked meanwhile. With `answers_lost` it goes away while it
    answers the next publication, which nobody hears to have been published.
    """

    def __init__(self) -> None:
        self.refusals = 0
        self.answers_lost = False
        self._gone = asyncio.Event()

    @property
    def is_on(self) -> bool:
        return self._gone.is_set()

    def begin(self) -> None:
        self._gone.set()

    def end(self) -> None:
        self._gone.clear()

    def look(self) -> None:
        """Raises BusUnavailable while it is on."""
        if self.is_on:
            self.refusals += 1
            raise BusUnavailable(AWAY)

    async def unless(self, call: Awaitable[Answer]) -> Answer:
        """What the call answers; raises BusUnavailable when the outage is on, or begins before the answer."""
        asking = asyncio.ensure_future(call)
        going = asyncio.ensure_future(self._gone.wait())
        try:
            if not self.is_on:
                await asyncio.wait((asking, going), return_when=asyncio.FIRST_COMPLETED)
            self.look()
            return asking.result()
        finally:
            asking.cancel()
            going.cancel()
            await asyncio.gather(asking, going, return_exceptions=True)


class LeavingBus:
    """A `MemoryBus` behind an outage. `begin_epoch` is a server that comes back with nothing."""

    def __init__(
        self, outage: Outage, leases: MemoryLeases | None = None, *, epoch: str = "epoch1", window: int = 1
    ) -> None:
        self.outage = outage
        self.window = window
        self._leases = leases
        self._epochs = 1
        self.inner = self._new(epoch)

    def _new(self, epoch: str) -> MemoryBus:
        is_newest = self._leases.is_newest if self._leases is not None else lambda _name, _token: True
        return MemoryBus(epoch, is_newest=is_newest, log_capacity=1000, log_hard_capacity=2000)

    def begin_epoch(self) -> None:
        self._epochs += 1
        self.inner = self._new(f"epoch{self._epochs}")

    async def publish(self, batch: Sequence[Outgoing], fence: Fence) -> list[Publication]:
        if self.outage.answers_lost:
            self.outage.answers_lost = False
            await self.inner.publish(batch, fence)
            self.outage.begin()
        self.outage.look()
        return await self.inner.publish(batch, fence)

    async def publish_change(self, user_id: str, ticker: str, payload: bytes) -> Publication:
        self.outage.look()
        return await self.inner.publish_change(user_id, ticker, payload)

    async def head(self) -> Position:
        self.outage.look()
        return await self.inner.head()

    async def pictures(self, tickers: Collection[str] | None = None) -> tuple[Position, dict[str, Picture]]:
        self.outage.look()
        return await self.inner.pictures(tickers)

    async def remember(self, ticker: str, payload: bytes) -> None:
        self.outage.look()
        await self.inner.remember(ticker, payload)

    async def since(self, after: Position, until: int, limit: int) -> list[Publication]:
        self.outage.look()
        return await self.inner.since(after, until, limit)

    async def follow(self, after: Position) -> AsyncIterator[list[Publication]]:
        self.outage.look()
        batches = self.inner.follow(after)
        while True:
            batch = await self.outage.unless(anext(batches))
            yield batch

    async def consume(self, group: str, consumer: str, *, limit: int, wait_s: float) -> list[Publication]:
        self.outage.look()
        return await self.inner.consume(group, consumer, limit=limit, wait_s=wait_s)

    async def acknowledge(self, group: str, batch: Sequence[Publication]) -> None:
        self.outage.look()
        await self.inner.acknowledge(group, batch)

    async def acknowledged(self, group: str) -> int:
        self.outage.look()
        return await self.inner.acknowledged(group)

    async def given_up(self, group: str) -> int:
        self.outage.look()
        return await self.inner.given_up(group)

    async def losses(self, group: str) -> list[Loss]:
        self.outage.look()
        return await self.inner.losses(group)

    async def forget(self, group: str, losses: Sequence[Loss]) -> None:
        self.outage.look()
        await self.inner.forget(group, losses)

    async def standing(self, group: str, ticker: str) -> Standing:
        self.outage.look()
        return await self.inner.standing(group, ticker)

    async def notify(self, notice: Notice) -> None:
        self.outage.look()
        await self.inner.notify(notice)

    async def notices(self) -> AsyncIterator[Notice]:
        self.outage.look()
        notices = self.inner.notices()
        while True:
            yield await self.outage.unless(anext(notices))

    async def ping(self) -> None:
        self.outage.look()


class LeavingLeases:
    """`MemoryLeases` behind an outage."""

    def __init__(self, outage: Outage, inner: Leases) -> None:
        self._outage = outage
        self._inner = inner

    async def acquire(self, name: str, owner: str, *, life_s: float) -> Lease | None:
        self._outage.look()
        return await self._inner.acquire(name, owner, life_s=life_s)

    async def renew(self, lease: Lease, *, life_s: float) -> bool:
        self._outage.look()
        return await self._inner.renew(lease, life_s=life_s)

    async def release(self, lease: Lease) -> None:
        self._outage.look()
        await self._inner.release(lease)

    async def holders(self) -> dict[str, Lease]:
        self._outage.look()
        return await self._inner.holders()


class LeavingDemand(MemoryDemand):
    """`MemoryDemand` behind an outage."""

    def __init__(self, outage: Outage, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self.outage = outage

    async def want(self, owner: str, tickers: Collection[str], *, life_s: float) -> None:
        self.outage.look()
        await super().want(owner, tickers, life_s=life_s)

    async def wanted(self) -> frozenset[str]:
        self.outage.look()
        return await super().wanted()

    async def changed(self, *, wait_s: float) -> None:
        self.outage.look()
        await self.outage.unless(super().changed(wait_s=wait_s))


class LeavingCache(MemoryCache):
    """`MemoryCache` behind an outage."""

    def __init__(self, outage: Outage, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self.outage = outage

    async def put(self, key: str, value: bytes, *, life_s: float) -> None:
        self.outage.look()
        await super().put(key, value, life_s=life_s)

    async def keys(self, prefix: str) -> list[str]:
        self.outage.look()
        return await super().keys(prefix)
