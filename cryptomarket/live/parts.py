"""What the routes of this room are given."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from cryptomarket.clock import Clock
from cryptomarket.live.follow import Opener
from cryptomarket.live.hub import Hub
from cryptomarket.live.stream import StreamLimits
from cryptomarket.live.subscriptions import Subscriptions
from cryptomarket.market.instruments import Directory


class Place(Protocol):
    """One taken place."""

    def release(self) -> None:
        """Gives it back, once."""
        ...


class Places(Protocol):
    """How many streams may be open."""

    def take(self, user_id: str, address: str) -> Place:
        """One place. Raises TooMany or Unavailable when there is none."""
        ...


@dataclass(frozen=True, slots=True)
class LiveParts:
    """The parts of this room, and plain values."""

    exchange: str
    hub: Hub
    opener: Opener
    subscriptions: Subscriptions
    directory: Directory
    places: Places
    limits: StreamLimits
    tickers_limit: int
    clock: Clock
    random: Callable[[], float]
