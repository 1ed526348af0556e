"""Streams follow saved sets as they are kept, also where a change was kept and never heard of.

A change is published after it is kept; a bus that is away in between, or a process that ends, leaves streams with an
older set. Each process compares what its streams follow with what is kept, and closes the difference by itself.
"""

from cryptomarket.clock import Clock
from cryptomarket.live.hub import Hub
from cryptomarket.live.repository import SavedSetRepository


class CatchingUp:
    """Compares versions. A difference that is younger than `patience_s` is left alone: the change may be on its way.

    Bound: one entry per user whose streams are behind.
    """

    def __init__(self, hub: Hub, repository: SavedSetRepository, clock: Clock, *, patience_s: float) -> None:
        self._hub = hub
        self._repository = repository
        self._clock = clock
        self._patience_s = patience_s
        self._behind_since_s: dict[str, float] = {}
        self.at_once = False

    async def look(self) -> None:
        """One round. Raises DatabaseUnavailable."""
        followed = {
            user_id: min(versions)
            for user_id, seats in self._hub.followers.items()
            if (versions := [seat.version for seat in seats if seat.seated])
        }
        kept = await self._repository.versions(followed)
        behind = {user_id for user_id, version in followed.items() if kept.get(user_id, 0) > version}
        now_s = self._clock.monotonic_s()
        self._behind_since_s = {user_id: self._behind_since_s.get(user_id, now_s) for user_id in behind}
        due = [user_id for user_id in behind if self._is_due(user_id, now_s)]
        for user_id in due:
            saved = await self._repository.saved_set(user_id)
            self._hub.adopt(user_id, [row.ticker for row in saved.tickers], saved.version)
            del self._behind_since_s[user_id]
        self.at_once = False

    def _is_due(self, user_id: str, now_s: float) -> bool:
        return self.at_once or now_s - self._behind_since_s[user_id] >= self._patience_s
