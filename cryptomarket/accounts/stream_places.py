"""How many streams may be open in this process: per user, per address, and in all."""

from collections import Counter
from types import TracebackType
from typing import Self

from cryptomarket.errors import TooMany, Unavailable

# A place becomes free when somebody's stream ends, which nobody can foresee.
_RETRY_AFTER_S = 30.0


class StreamPlace:
    """One taken place. It is given back once, however often that is said."""

    __slots__ = ("_address", "_places", "_user_id")

    def __init__(self, places: "StreamPlaces", user_id: str, address: str) -> None:
        self._places: StreamPlaces | None = places
        self._user_id = user_id
        self._address = address

    def release(self) -> None:
        places, self._places = self._places, None
        if places is not None:
            places.give_back(self._user_id, self._address)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


class StreamPlaces:
    """Places are taken before a stream opens, so that a refusal still has a status."""

    def __init__(self, *, per_user: int, per_address: int, per_process: int) -> None:
        self._per_user = per_user
        self._per_address = per_address
        self._per_process = per_process
        self._users: Counter[str] = Counter()
        self._addresses: Counter[str] = Counter()
        self._open = 0

    @property
    def open(self) -> int:
        return self._open

    def of_user(self, user_id: str) -> int:
        return self._users[user_id]

    def take(self, user_id: str, address: str) -> StreamPlace:
        """Raises TooMany at the user's or the address's limit, Unavailable at the process's."""
        if self._users[user_id] >= self._per_user:
            raise TooMany(
                f"This user has {self._per_user} open streams, which is the limit.",
                retry_after_s=_RETRY_AFTER_S,
                limit=self._per_user,
            )
        if self._addresses[address] >= self._per_address:
            raise TooMany(
                f"This address has {self._per_address} open streams, which is the limit.",
                retry_after_s=_RETRY_AFTER_S,
                limit=self._per_address,
            )
        if self._open >= self._per_process:
            raise Unavailable("All places for streams are taken.", retry_after_s=_RETRY_AFTER_S)
        self._users[user_id] += 1
        self._addresses[address] += 1
        self._open += 1
        return StreamPlace(self, user_id, address)

    def give_back(self, user_id: str, address: str) -> None:
        self._open -= 1
        _count_down(self._users, user_id)
        _count_down(self._addresses, address)


def _count_down(counter: Counter[str], key: str) -> None:
    counter[key] -= 1
    # Without this the counters would remember everybody who ever came.
    if counter[key] <= 0:
        del counter[key]
