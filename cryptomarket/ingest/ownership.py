"""Which slots this process owns: its fair share, by lease."""

import asyncio
import random
import time
from collections.abc import Callable, Collection, Sequence

import structlog

from cryptomarket.backoff import Backoff
from cryptomarket.backplane.cache import Cache
from cryptomarket.backplane.lease import Lease, Leases
from cryptomarket.errors import BusUnavailable

log = structlog.get_logger(__name__)

PEER_PREFIX = "ingest-peer:"


def slot_lease_name(slot: int) -> str:
    """The name under which a slot is leased."""
    return f"slot:{slot}"


def fair_share(slots: int, peers: Collection[str], owner: str, *, from_last: bool = False) -> int:
    """How many slots `owner` holds among `peers`, so that all are held and none holds two more than another: the first
    peers by name, or the last, hold one more where the slots can't be divided.
    """
    names = sorted({*peers, owner}, reverse=from_last)
    share, rest = divmod(slots, len(names))
    return share + (names.index(owner) < rest)


class Ownership:
    """Holds a fair share of the slots: takes free ones, renews its own, gives back surplus when a peer appears. The
    last `login_slots` are of a kind of their own, of which each has its share.

    A lease that could not be renewed is lost at once; whoever has it next has a larger token, and the bus refuses ours.
    While the leases can't be reached, a slot is let go of when its lease has run out, and taken again afterwards.
    """

    def __init__(
        self,
        leases: Leases,
        cache: Cache,
        *,
        owner: str,
        slots: int,
        login_slots: int = 0,
        life_s: float,
        on_change: Callable[[], None],
        monotonic_s: Callable[[], float] = time.monotonic,
        backoff: Backoff | None = None,
    ) -> None:
        self._leases = leases
        self._cache = cache
        self._owner = owner
        # Each kind is shared for itself, so that whoever can has one that serves logins.
        self._kinds = (range(slots - login_slots), range(slots - login_slots, slots))
        self._life_s = life_s
        self._on_change = on_change
        self._monotonic_s = monotonic_s
        self._backoff = backoff or Backoff(base_s=life_s / 30, cap_s=life_s / 3, random=random.random)
        self._ends_s: dict[int, float] = {}
        self.held: dict[int, Lease] = {}

    async def run(self) -> None:
        """Keeps the share for as long as it runs, three times within a lease's life."""
        try:
            while True:
                pause_s = self._life_s / 3
                try:
                    # A round that takes longer would let leases run out that nobody looks at.
                    async with asyncio.timeout(pause_s):
                        await self.settle()
                    self._backoff.reset()
                except (BusUnavailable, TimeoutError) as away:
                    log.warning("the leases of the slots can't be reached", reason=str(away), held=len(self.held))
                    pause_s = self._backoff.next_s()
                await asyncio.sleep(min(pause_s, self.let_go()))
                self.let_go()
        finally:
            await asyncio.shield(self._say_goodbye())

    async def _say_goodbye(self) -> None:
        try:
            await self.give_back(tuple(self.held))
        except BusUnavailable as away:
            log.warning("the slots could not be given back; their leases run out", reason=away.detail)

    async def settle(self) -> None:
        """One round: renew, give back, take. Raises BusUnavailable."""
        before = dict(self.held)
        try:
            await self._settle()
        finally:
            if before != self.held:
                self._on_change()

    async def _settle(self) -> None:
        await self._cache.put(PEER_PREFIX + self._owner, b"", life_s=self._life_s)
        for slot, lease in tuple(self.held.items()):
            asked_s = self._monotonic_s()
            if await self._leases.renew(lease, life_s=self._life_s):
                self._ends_s[slot] = asked_s + self._life_s
            else:
                del self.held[slot]
        peers = [key.removeprefix(PEER_PREFIX) for key in await self._cache.keys(PEER_PREFIX)]
        for kind in self._kinds:
            # Who has one data slot more has no login slot more.
            share = fair_share(len(kind), peers, self._owner, from_last=kind is self._kinds[1])
            await self._hold(kind, share)

    async def _hold(self, kind: range, share: int) -> None:
        """Holds so many slots of a kind, as far as they are free."""
        await self.give_back([slot for slot in sorted(self.held) if slot in kind][share:])
        for slot in kind:
            if sum(held in kind for held in self.held) >= share:
                break
            if slot not in self.held:
                await self._take(slot)

    async def _take(self, slot: int) -> None:
        asked_s = self._monotonic_s()
        lease = await self._leases.acquire(slot_lease_name(slot), self._owner, life_s=self._life_s)
        if lease is not None:
            self.held[slot] = lease
            self._ends_s[slot] = asked_s + self._life_s

    def let_go(self) -> float:
        """Lets go of the slots whose leases have run out, and tells in how many seconds the next one would."""
        now_s = self._monotonic_s()
        lapsed = [slot for slot in self.held if self._ends_s[slot] <= now_s]
        for slot in lapsed:
            del self.held[slot]
        if lapsed:
            log.warning("slots are let go of: their leases have run out", slots=len(lapsed))
            self._on_change()
        return min((self._ends_s[slot] - now_s for slot in self.held), default=self._life_s)

    async def give_back(self, slots: Sequence[int]) -> None:
        """Releases these slots."""
        for slot in slots:
            await self._leases.release(self.held.pop(slot))
