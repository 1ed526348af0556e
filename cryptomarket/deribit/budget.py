"""Request credits as a function of time. Pure: time is passed in, as seconds of any clock that only goes forward.

The exchange gives each kind of request a pool of credits that refills continuously; a request that finds too few
gets 10028 and *ends the session*, so nothing is sent before it can be paid for.
Source: docs.deribit.com/articles/rate-limits
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tariff:
    """What one request costs, from which pool, in credits and credits per second."""

    name: str
    cost: int
    pool: int
    refill_per_s: int


ORDINARY = Tariff("ordinary", cost=500, pool=50_000, refill_per_s=10_000)
SUBSCRIBING = Tariff("subscribing", cost=3_000, pool=30_000, refill_per_s=10_000)
INSTRUMENTS = Tariff("instruments", cost=10_000, pool=500_000, refill_per_s=10_000)

TARIFFS = {
    "public/subscribe": SUBSCRIBING,
    "private/subscribe": SUBSCRIBING,
    "public/get_instruments": INSTRUMENTS,
}

# Kept back from each pool: requests that left apart may arrive together, and then the exchange has refilled less than
# we counted. The ordinary pool also pays the answers to heartbeats; a session whose answer waited for credits would be
# closed (code 4000).
KEPT_BACK = {ORDINARY.name: 5_000, SUBSCRIBING.name: 3_000, INSTRUMENTS.name: 10_000}


class Bucket:
    """One leaky bucket: full at first, refilled continuously, never above its pool."""

    __slots__ = ("_at_s", "_balance", "_pool", "_refill_per_s")

    def __init__(self, pool: float, refill_per_s: float, *, now_s: float) -> None:
        self._pool = pool
        self._refill_per_s = refill_per_s
        self._balance = pool
        self._at_s = now_s

    def balance(self, now_s: float) -> float:
        """The credits that are there now. A clock that went backwards gives none."""
        if now_s > self._at_s:
            self._balance = min(self._pool, self._balance + (now_s - self._at_s) * self._refill_per_s)
            self._at_s = now_s
        return self._balance

    def wait_s(self, cost: float, now_s: float) -> float:
        """Seconds until `cost` credits are there; 0 when they are."""
        missing = cost - self.balance(now_s)
        return max(0.0, missing / self._refill_per_s)

    def spend(self, cost: float, now_s: float) -> None:
        """Takes `cost` credits, below zero if need be: what was sent was sent."""
        self._balance = self.balance(now_s) - cost

    def drain(self, now_s: float) -> None:
        """Nothing is left: the exchange said so, and its count is the one that matters."""
        self._balance = min(0.0, self.balance(now_s))

    def resize(self, pool: float, refill_per_s: float, now_s: float) -> None:
        """From now on the pool and its refill are these; what is there stays, up to the new pool."""
        self._balance = min(self.balance(now_s), pool)
        self._pool = pool
        self._refill_per_s = refill_per_s


class Budget:
    """The credits of one address (or key), shared by all sessions of a process.

    With `share` below one, this process spends only its part of each pool and refill, so that several processes
    behind one address together stay within it without asking each other. A pool is never smaller than what its
    dearest request costs, together with what is kept back.
    """

    def __init__(self, *, now_s: float, share: float = 1.0) -> None:
        self._buckets = {
            tariff.name: Bucket(*_part(tariff, share), now_s=now_s) for tariff in (ORDINARY, SUBSCRIBING, INSTRUMENTS)
        }

    def take(self, method: str, now_s: float) -> float:
        """Pays for one request and returns 0, or, when it can't be paid for yet, the seconds until it may be."""
        tariff = TARIFFS.get(method, ORDINARY)
        bucket = self._buckets[tariff.name]
        wait_s = bucket.wait_s(tariff.cost + KEPT_BACK[tariff.name], now_s)
        if wait_s <= 0:
            bucket.spend(tariff.cost, now_s)
        return wait_s

    def answer(self, now_s: float) -> None:
        """Pays for the answer to a heartbeat, out of what is kept back for it. It never waits."""
        self._buckets[ORDINARY.name].spend(ORDINARY.cost, now_s)

    def drain(self, now_s: float) -> None:
        """The exchange has answered 10028: all credits are gone, whatever we had counted."""
        for bucket in self._buckets.values():
            bucket.drain(now_s)

    def set_share(self, share: float, now_s: float) -> None:
        """From now on this process has this part, above 0 and at most 1, of the address's credits."""
        for tariff in (ORDINARY, SUBSCRIBING, INSTRUMENTS):
            self._buckets[tariff.name].resize(*_part(tariff, share), now_s)

    def balance(self, now_s: float, tariff: Tariff = ORDINARY) -> int:
        """The credits left for requests of this tariff."""
        return int(self._buckets[tariff.name].balance(now_s))


def _part(tariff: Tariff, share: float) -> tuple[float, float]:
    if not 0 < share <= 1:
        raise ValueError("a share of the credits is above 0 and at most 1")
    return max(tariff.pool * share, tariff.cost + KEPT_BACK[tariff.name]), tariff.refill_per_s * share
