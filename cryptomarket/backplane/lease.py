"""Leases: work that must be done once is done by whoever holds its lease."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Lease:
    """`name` is held by `owner`. `token` is larger than that of every earlier lease of the name: the fence."""

    name: str
    owner: str
    token: int


class Leases(Protocol):
    """Acquire, renew, release. Raises BusUnavailable."""

    async def acquire(self, name: str, owner: str, *, life_s: float) -> Lease | None:
        """The lease for `life_s` seconds, with a new token; None while another owner holds it. An owner that asks
        again gets it again, and its former token is no longer the newest.
        """
        ...

    async def renew(self, lease: Lease, *, life_s: float) -> bool:
        """Holds it for `life_s` seconds more. False when it was lost: stop at once."""
        ...

    async def release(self, lease: Lease) -> None:
        """Gives it back, if it is still held. The token is never given out again."""
        ...

    async def holders(self) -> dict[str, Lease]:
        """Who holds what now, by name."""
        ...
