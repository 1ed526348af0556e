"""Persons in the cache: kept 27 hours from their last use, written to the database now and then."""

from collections import OrderedDict
from collections.abc import Callable

import msgspec

from cryptomarket.accounts.person import Person
from cryptomarket.accounts.repository import AccountsRepository
from cryptomarket.backplane.cache import Cache

# A day, and enough for the flush at midnight to meet everyone who came in it.
LIFE_S = 27 * 3600.0
RENEW_EVERY_MS = 60_000
_RENEWED_BOUND = 100_000
_FLUSH_BATCH = 500
PREFIX = "person:"


class Profiles:
    """Never a proof of who somebody is: that is asked of the exchange, or said by a token."""

    def __init__(self, cache: Cache, repository: AccountsRepository, *, now_ms: Callable[[], int]) -> None:
        self._cache = cache
        self._repository = repository
        self._now_ms = now_ms
        # Bound: the longest unseen is forgotten first, which costs one more renewal in the cache.
        self._renewed_ms: OrderedDict[str, int] = OrderedDict()

    async def keep(self, person: Person) -> None:
        await self._cache.put(f"{PREFIX}{person.user_id}", msgspec.json.encode(person), life_s=LIFE_S)
        self._mark_renewed(person.user_id, person.last_seen_ms)

    async def get(self, user_id: str) -> Person | None:
        """From the cache, else from the database; None for a holder of an API key who is nobody at the exchange."""
        cached = await self._cache.get(f"{PREFIX}{user_id}")
        if cached is not None:
            return msgspec.json.decode(cached, type=Person)
        return await self._repository.person(user_id)

    async def seen(self, user_id: str) -> None:
        """Renews the person's life in the cache and his `last_seen_ms`, once a minute in this process at most."""
        now_ms = self._now_ms()
        if now_ms - self._renewed_ms.get(user_id, 0) < RENEW_EVERY_MS:
            return
        self._mark_renewed(user_id, now_ms)
        person = await self.get(user_id)
        if person is not None:
            await self.keep(msgspec.structs.replace(person, last_seen_ms=now_ms))

    async def flush(self) -> int:
        """Writes everybody in the cache to the database; how many. Writing twice does no harm."""
        written = 0
        batch: list[Person] = []
        for key in await self._cache.keys(PREFIX):
            cached = await self._cache.get(key)
            if cached is None:
                continue
            batch.append(msgspec.json.decode(cached, type=Person))
            if len(batch) >= _FLUSH_BATCH:
                await self._repository.write_profiles(batch)
                written += len(batch)
                batch = []
        await self._repository.write_profiles(batch)
        return written + len(batch)

    def _mark_renewed(self, user_id: str, now_ms: int) -> None:
        self._renewed_ms[user_id] = now_ms
        self._renewed_ms.move_to_end(user_id)
        if len(self._renewed_ms) > _RENEWED_BOUND:
            self._renewed_ms.popitem(last=False)
