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
        """Hash: the server that the epoch is bound to, the epoch, its newest sequence and the oldest of its log."""
        return f"{self.prefix}order"

    @property
    def order_bell(self) -> str:
        """Stream of one entry: rung when an epoch begins."""
        return f"{self.prefix}order:bell"

    def log(self, epoch: str) -> str:
        """Stream: the log of an epoch. Entry ids are `0-<seq>`."""
        return f"{self.prefix}log:{epoch}"

    def ticker(self, ticker: str) -> str:
        """Hash: what is known of a ticker; its field `tick` is the last tick."""
        return f"{self.prefix}ticker:{ticker}"

    def losses(self, group: str) -> str:
        """Hash: what a group will never get, by epoch and ticker."""
        return f"{self.prefix}losses:{group}"

    def lane(self, name: str) -> str:
        """String with a life: which of a publisher's connections counts."""
        return f"{self.prefix}lane:{name}"

    @property
    def notices(self) -> str:
        """Stream: control notices."""
        return f"{self.prefix}notices"

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

    def mail_bell(self, box: str) -> str:
        """List: one element per letter that was posted, so that a reader wakes."""
        return f"{self.prefix}mail:bell:{box}"

    def mail_reply(self, name: str) -> str:
        """List of one element with a life: the answer to a letter."""
        return f"{self.prefix}mail:reply:{name}"
