"""Short-lived values in this process."""

import heapq
from collections.abc import Callable

FEW = 64


class MemoryCache:
    """`Cache` in one process. Bound: a value whose life is over is dropped at the latest with the next call.

    What was replaced, taken or deleted leaves its end behind; there are never more than twice as many ends as values,
    and a few.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._values: dict[str, tuple[bytes, float]] = {}
        self._ends: list[tuple[float, str]] = []

    def _expire(self) -> None:
        now = self._clock()
        while self._ends and self._ends[0][0] <= now:
            _, key = heapq.heappop(self._ends)
            held = self._values.get(key)
            if held is not None and held[1] <= now:
                del self._values[key]

    async def put(self, key: str, value: bytes, *, life_s: float) -> None:
        """See Cache.put."""
        self._expire()
        end = self._clock() + life_s
        self._values[key] = (value, end)
        heapq.heappush(self._ends, (end, key))
        if len(self._ends) > 2 * len(self._values) + FEW:
            self._ends = [(end, key) for key, (_, end) in self._values.items()]
            heapq.heapify(self._ends)

    async def get(self, key: str) -> bytes | None:
        """See Cache.get."""
        self._expire()
        held = self._values.get(key)
        return held[0] if held is not None else None

    async def take(self, key: str) -> bytes | None:
        """See Cache.take."""
        self._expire()
        held = self._values.pop(key, None)
        return held[0] if held is not None else None

    async def delete(self, key: str) -> None:
        """See Cache.delete."""
        self._expire()
        self._values.pop(key, None)

    async def keys(self, prefix: str) -> list[str]:
        """See Cache.keys."""
        self._expire()
        return [key for key in self._values if key.startswith(prefix)]
