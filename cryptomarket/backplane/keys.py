"""The names of the keys that the gateway writes into Redis. `docs/redis.md` tells their types, lives and bounds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one exchange. Each begins with the exchange's name, so exchanges never meet in one Redis.

    The scripts write further names, each with `prefix` in front.
    """

    exchange: str

    @property
    def prefix(self) -> str:
        """What every key begins with."""
        return f"cryptomarket:{self.exchange}:"

    @property
    def order(self) -> str:
        """Hash: the server's run_id and the epoch that is bound to it."""
        return f"{self.prefix}order"

    @property
    def demand_bell(self) -> str:
        """Stream of one entry: rung when a want changes."""
        return f"{self.prefix}demand:bell"

    def cache(self, key: str) -> str:
        """String with a life: a value of the cache."""
        return f"{self.prefix}cache:{key}"

    def limit(self, key: str, limit: int, period_s: int) -> str:
        """Sorted set with a life: when a window's takes were counted."""
        return f"{self.prefix}limit:{key}:{limit}:{period_s}"
