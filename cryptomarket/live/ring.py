"""The last publications that this process has heard, ready to be told again."""

from collections.abc import Sequence

from cryptomarket.live.mailbox import Entry
from cryptomarket.market.wire import Publication


class Ring:
    """What followed in one order, without a hole. Bound: `capacity` events; the oldest gives way.

    A crowd that comes back is served from here: no bus and no database is asked, and a frame is encoded once.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._slots: list[Entry | None] = [None] * capacity
        self._first_seq = 1
        self._last_seq = 0

    def begin(self, seq: int) -> None:
        """Starts anew: the next event is the one after `seq`."""
        self._slots = [None] * self._capacity
        self._first_seq, self._last_seq = seq + 1, seq

    def add(self, publication: Publication) -> Entry:
        """Keeps an event, which must be the next."""
        seq = publication.seq
        if seq != self._last_seq + 1:
            self.begin(seq - 1)
        entry = Entry(publication)
        self._slots[seq % self._capacity] = entry
        self._last_seq = seq
        self._first_seq = max(self._first_seq, seq - self._capacity + 1)
        return entry

    def reaches(self, after_seq: int) -> bool:
        """Whether everything after a sequence is here."""
        return self._first_seq <= after_seq + 1 <= self._last_seq + 1

    def since(self, after_seq: int, until_seq: int, limit: int) -> Sequence[Entry]:
        """Up to `limit` events after one sequence and up to another. Ask `reaches` first."""
        last = min(until_seq, after_seq + limit, self._last_seq)
        found = (self._slots[seq % self._capacity] for seq in range(after_seq + 1, last + 1))
        return [entry for entry in found if entry is not None]
