"""Short-lived values, some of which are read once."""

from typing import Protocol


class Cache(Protocol):
    """Bytes under a key, each with a life. Raises BusUnavailable."""

    async def put(self, key: str, value: bytes, *, life_s: float) -> None:
        """Keeps `value` for `life_s` seconds. Replaces."""
        ...

    async def get(self, key: str) -> bytes | None:
        """The value, or None."""
        ...

    async def take(self, key: str) -> bytes | None:
        """The value, which is gone with this reading; of two who take at once, one gets it."""
        ...

    async def delete(self, key: str) -> None:
        """Nothing is under this key afterwards."""
        ...

    async def keys(self, prefix: str) -> list[str]:
        """The keys that begin so, of values that are still alive."""
        ...
