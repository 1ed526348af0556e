"""The in-process log: a ring of the last publications, addressed by sequence."""

from cryptomarket.errors import LogTooShort
from cryptomarket.market.position import Position
from cryptomarket.market.wire import Publication


class Log:
    """The last `capacity` publications of one epoch. Sequences have no holes, so an index is arithmetic.

    Bound: at capacity the oldest publication is overwritten, unless it is still `owed` to the writers; then the log
    grows to `hard_capacity` at most, and the oldest is given up.
    """

    def __init__(self, epoch: str, *, capacity: int, hard_capacity: int) -> None:
        self.epoch = epoch
        self._capacity = capacity
        self._hard_capacity = max(hard_capacity, capacity)
        self._entries: dict[int, Publication] = {}
        self._first = 1
        self._head = 0

    @property
    def first(self) -> int:
        """The oldest sequence that is still here; head + 1 when there is none."""
        return self._first

    @property
    def head(self) -> int:
        """The newest sequence; 0 when nothing was published in this epoch."""
        return self._head

    def append(self, publication: Publication, *, owed_from: int) -> list[Publication]:
        """Puts the next publication at the end. What lies at or above `owed_from` is not acknowledged yet; returns
        what of it was given up.
        """
        self._head = publication.seq
        self._entries[self._head] = publication
        given_up = []
        while self._head - self._first >= self._capacity:
            is_owed = self._first >= owed_from
            if is_owed and self._head - self._first < self._hard_capacity:
                break
            trimmed = self._entries.pop(self._first)
            if is_owed:
                given_up.append(trimmed)
            self._first += 1
        return given_up

    def at(self, seq: int) -> Publication:
        """The publication with this sequence, which lies within [first, head]."""
        return self._entries[seq]

    def between(self, after: Position, until: int, limit: int) -> list[Publication]:
        """Those with after < seq <= until, at most `limit`. Raises LogTooShort when the first of them is gone."""
        if after.epoch != self.epoch or after.seq > self._head or after.seq + 1 < self._first:
            raise LogTooShort(str(after))
        last = min(until, self._head, after.seq + limit)
        entries = self._entries
        return [entries[seq] for seq in range(after.seq + 1, last + 1)]
