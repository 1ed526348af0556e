"""One bus subscription per process, shared by all seats."""

import structlog

from cryptomarket.backplane.bus import Bus
from cryptomarket.errors import LogTooShort
from cryptomarket.live.hub import Hub

log = structlog.get_logger(__name__)


class Relay:
    """Carries what is published into the hub. When it has fallen behind the log, it starts anew from the pictures."""

    def __init__(self, bus: Bus, hub: Hub) -> None:
        self._bus = bus
        self._hub = hub

    async def begin(self) -> None:
        """Puts the hub at the bus's head, knowing everything that is known there."""
        self._hub.begin(*await self._bus.pictures())

    async def run(self) -> None:
        """Follows the bus for as long as it runs."""
        while True:
            try:
                async for batch in self._bus.follow(self._hub.position):
                    self._hub.broadcast(batch)
            except LogTooShort:
                log.warning("fell behind the log; starting anew from snapshots", position=str(self._hub.position))
                await self.begin()
