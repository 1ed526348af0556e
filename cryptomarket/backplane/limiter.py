"""Limits that all processes share."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Room:
    """What a limit has left: `remaining` of `limit`; when nothing is left, there is room in `retry_after_s`."""

    allowed: bool
    limit: int
    remaining: int
    retry_after_s: float


class Limiter(Protocol):
    """Sliding windows: at most `limit` in any `period_s` seconds, per key. Raises BusUnavailable."""

    async def take(self, key: str, *, limit: int, period_s: int) -> Room:
        """Counts one. `allowed` is False, and nothing is counted, when the window is full."""
        ...

    async def look(self, key: str, *, limit: int, period_s: int) -> Room:
        """What is left, counting nothing."""
        ...

    async def clear(self, key: str, *, limit: int, period_s: int) -> None:
        """Forgets what was counted."""
        ...
