"""One bus subscription per process, shared by all seats."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import structlog

from cryptomarket.backoff import Backoff
from cryptomarket.backplane.bus import Bus
from cryptomarket.errors import BusUnavailable, LogTooShort
from cryptomarket.live.hub import Hub
from cryptomarket.market.wire import Publication

log = structlog.get_logger(__name__)


class Relay:
    """Carries what is published into the hub. When it has fallen behind the log, or the log has begun anew, it starts
    from the pictures. While the bus is away, it knocks again and again.
    """

    def __init__(self, bus: Bus, hub: Hub, *, backoff: Backoff | None = None) -> None:
        self._bus = bus
        self._hub = hub
        self._backoff = backoff or Backoff(base_s=0.1, cap_s=2.0, random=random.random)

    async def begin(self) -> None:
        """Puts the hub at the bus's head, knowing everything that is known there. Raises BusUnavailable."""
        self._hub.begin(*await self._bus.pictures())

    async def run(self) -> None:
        """Follows the bus for as long as it runs."""
        while True:
            try:
                await self._follow()
            except LogTooShort:
                log.warning("the log does not go on from here; starting anew", position=str(self._hub.position))
                await self._begin_anew()
            except BusUnavailable as away:
                await self._wait(away)

    async def _begin_anew(self) -> None:
        try:
            await self.begin()
        except BusUnavailable as away:
            await self._wait(away)

    async def _wait(self, away: BusUnavailable) -> None:
        if self._hub.lose_bus():
            log.warning("the bus is away; streams are told so", reason=away.detail)
        await asyncio.sleep(self._backoff.next_s())

    async def _follow(self) -> None:
        """What is missed is heard first; only then are the feeds known again."""
        head = await self._bus.head()
        if head.epoch != self._hub.position.epoch:
            raise LogTooShort(str(self._hub.position))
        async with AsyncExitStack() as stack:
            batches = self._bus.follow(self._hub.position)
            stack.push_async_callback(_close, batches)
            self._found(head.seq)
            async for batch in batches:
                self._hub.broadcast(batch)
                self._found(head.seq)

    def _found(self, seq: int) -> None:
        if self._hub.position.seq >= seq:
            self._backoff.reset()
            self._hub.find_bus()


async def _close(batches: AsyncIterator[list[Publication]]) -> None:
    """Ends a subscription that may be a generator."""
    close = getattr(batches, "aclose", None)
    if close is not None:
        await close()
