"""Which slots this process owns: its fair share, by lease."""

import asyncio
from collections.abc import Callable, Collection, Sequence

from cryptomarket.backplane.cache import Cache
from cryptomarket.backplane.lease import Lease, Leases

PEER_PREFIX = "ingest-peer:"


def slot_lease_name(slot: int) -> str:
    """The name under which a slot is leased."""
    return f"slot:{slot}"


def fair_share(slots: int, peers: Collection[str], owner: str) -> int:
    """How many slots `owner` holds among `peers`, so that all are held and none holds two more than another: the first
    peers by name hold one more where the slots can't be divided.
    """
    names = sorted({*peers, owner})
    share, rest = divmod(slots, len(names))
    return share + (names.index(owner) < rest)


class Ownership:
    """Holds a fair share of the slots: takes free ones, renews its own, gives back surplus when a peer appears.

    A lease that could not be renewed is lost at once; whoever has it next has a larger token, and the bus refuses ours.
    """

    def __init__(
        self, leases: Leases, cache: Cache, *, owner: str, slots: int, life_s: float, on_change: Callable[[], None]
    ) -> None:
        self._leases = leases
        self._cache = cache
        self._owner = owner
        self._slots = slots
        self._life_s = life_s
        self._on_change = on_change
        self.held: dict[int, Lease] = {}

    async def run(self) -> None:
        """Keeps the share for as long as it runs, three times within a lease's life."""
        try:
            while True:
                await self.settle()
                await asyncio.sleep(self._life_s / 3)
        finally:
            await asyncio.shield(self.give_back(tuple(self.held)))

    async def settle(self) -> None:
        """One round: renew, give back, take."""
        before = dict(self.held)
        await self._cache.put(PEER_PREFIX + self._owner, b"", life_s=self._life_s)
        for slot, lease in before.items():
            if not await self._leases.renew(lease, life_s=self._life_s):
                del self.held[slot]
        peers = [key.removeprefix(PEER_PREFIX) for key in await self._cache.keys(PEER_PREFIX)]
        share = fair_share(self._slots, peers, self._owner)
        await self.give_back(sorted(self.held)[share:])
        for slot in range(self._slots):
            if len(self.held) >= share:
                break
            if slot not in self.held:
                lease_or_none = await self._leases.acquire(slot_lease_name(slot), self._owner, life_s=self._life_s)
                if lease_or_none is not None:
                    self.held[slot] = lease_or_none
        if before != self.held:
            self._on_change()

    async def give_back(self, slots: Sequence[int]) -> None:
        """Releases these slots."""
        for slot in slots:
            await self._leases.release(self.held.pop(slot))
