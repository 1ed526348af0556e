"""What is wanted, in this process."""

from collections.abc import Callable, Collection

from cryptomarket.backplane.memory.bell import Bell


class MemoryDemand:
    """`Demand` in one process. Bound: one entry per owner; lapsed owners are dropped when the union is asked for."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._wants: dict[str, tuple[frozenset[str], float]] = {}
        self._bell = Bell()

    async def want(self, owner: str, tickers: Collection[str], *, life_s: float) -> None:
        """See Demand.want."""
        before = self._wants.get(owner)
        now_wanted = frozenset(tickers)
        self._wants[owner] = (now_wanted, self._clock() + life_s)
        if before is None or before[0] != now_wanted:
            self._bell.ring()

    async def wanted(self) -> frozenset[str]:
        """See Demand.wanted."""
        now = self._clock()
        self._wants = {owner: want for owner, want in self._wants.items() if want[1] > now}
        return frozenset[str]().union(*(tickers for tickers, _ in self._wants.values()))

    async def changed(self, *, wait_s: float) -> None:
        """See Demand.changed."""
        await self._bell.wait(wait_s)
