"""Request credits: leaky buckets that refill continuously (docs.deribit.com/articles/rate-limits)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Pool:
    """One class of requests: what a request costs, how much there is, how fast it comes back."""

    cost: float
    size: float
    refill_per_s: float


DEFAULT_POOLS: Final[Mapping[str, Pool]] = {
    "default": Pool(500, 50_000, 10_000),
    "public/get_instruments": Pool(10_000, 500_000, 10_000),
    "subscribe": Pool(3_000, 30_000, 10_000),
}
_MOST_CALLERS: Final = 50_000
"""Callers that are remembered; beyond it those whose pools are full again are forgotten, which changes nothing."""
_MEMBERS: Final = {
    "public/get_instruments": "public/get_instruments",
    "public/subscribe": "subscribe",
    "private/subscribe": "subscribe",
}


class Credits:
    """Counts the credits of every caller: an account, or an address where there is none."""

    def __init__(self, pools: Mapping[str, Pool]) -> None:
        self._pools = pools
        self._left: dict[tuple[str, str], tuple[float, int]] = {}

    def take(self, caller: str, method: str, now_us: int) -> bool:
        """Pays for a request; False when the caller's pool does not hold enough."""
        if len(self._left) > _MOST_CALLERS:
            self._forget_the_full(now_us)
        name = _MEMBERS.get(method, "default")
        pool = self._pools[name]
        left, since_us = self._left.get((caller, name), (pool.size, now_us))
        left = min(pool.size, left + (now_us - since_us) / 1e6 * pool.refill_per_s)
        paid = left >= pool.cost
        self._left[caller, name] = (left - pool.cost if paid else left, now_us)
        return paid

    def _forget_the_full(self, now_us: int) -> None:
        for (caller, name), (left, since_us) in list(self._left.items()):
            pool = self._pools[name]
            if left + (now_us - since_us) / 1e6 * pool.refill_per_s >= pool.size:
                del self._left[caller, name]
