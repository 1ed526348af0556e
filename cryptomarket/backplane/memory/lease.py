"""Leases in this process."""

from collections.abc import Callable
from dataclasses import dataclass

from cryptomarket.backplane.lease import Lease


@dataclass
class _Slot:
    token: int = 0
    owner: str | None = None
    end_s: float = 0.0


class MemoryLeases:
    """`Leases` in one process. Tokens only grow, also over a release. Bound: one entry per name."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._slots: dict[str, _Slot] = {}

    async def acquire(self, name: str, owner: str, *, life_s: float) -> Lease | None:
        """See Leases.acquire."""
        slot = self._slots.setdefault(name, _Slot())
        now = self._clock()
        if slot.owner not in (None, owner) and slot.end_s > now:
            return None
        slot.token += 1
        slot.owner, slot.end_s = owner, now + life_s
        return Lease(name, owner, slot.token)

    async def renew(self, lease: Lease, *, life_s: float) -> bool:
        """See Leases.renew."""
        slot = self._slots.get(lease.name)
        now = self._clock()
        if slot is None or slot.token != lease.token or slot.owner != lease.owner or slot.end_s <= now:
            return False
        slot.end_s = now + life_s
        return True

    async def release(self, lease: Lease) -> None:
        """See Leases.release."""
        slot = self._slots.get(lease.name)
        if slot is not None and slot.token == lease.token:
            slot.owner = None

    async def holders(self) -> dict[str, Lease]:
        """See Leases.holders."""
        now = self._clock()
        return {
            name: Lease(name, slot.owner, slot.token)
            for name, slot in self._slots.items()
            if slot.owner is not None and slot.end_s > now
        }

    def is_newest(self, name: str, token: int) -> bool:
        """Whether no newer lease of this name was ever given out: what a fenced publication must pass."""
        slot = self._slots.get(name)
        return slot is not None and slot.token == token
