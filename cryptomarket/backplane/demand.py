"""Demand: which tickers are wanted now. Desired state with an expiry, not commands."""

from collections.abc import Collection
from typing import Protocol


class Demand(Protocol):
    """Owners say what they want and renew it; what nobody renews lapses. Raises BusUnavailable."""

    async def want(self, owner: str, tickers: Collection[str], *, life_s: float) -> None:
        """From now for `life_s` seconds, `owner` wants exactly these tickers. Replaces what it wanted before."""
        ...

    async def wanted(self) -> frozenset[str]:
        """The union over all owners whose want has not lapsed."""
        ...

    async def changed(self, *, wait_s: float) -> None:
        """Returns when somebody has said something new, after `wait_s` seconds at the latest. A want that lapses says
        nothing: that is noticed by asking again.
        """
        ...
