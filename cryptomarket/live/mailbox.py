"""Where events wait for their reader. What happens to a slow reader is the mailbox's contract; there are two.

- `LogMailbox` (`mode=all`): everything, in order, bounded in bytes. When it overflows, it lets its reader go: he is
  told `slow`, and comes back with his position.
- `LatestMailbox` (`mode=latest`, `timer=`): per ticker at most one tick, one status, one gap and one set change.
  It cannot overflow.
"""

import asyncio
from typing import Protocol

from cryptomarket.live.events import frame_of, merged_gaps
from cryptomarket.market.wire import Change, Publication, PublicationKind


class Entry:
    """An event that waits: its place, and its bytes, which all readers share and the first who needs them makes."""

    __slots__ = ("_frame", "change", "publication")

    def __init__(self, publication: Publication, frame: bytes | None = None, change: Change | None = None) -> None:
        self.publication = publication
        self.change = change
        self._frame = frame

    @property
    def frame(self) -> bytes:
        """The event as it is written."""
        if self._frame is None:
            self._frame = frame_of(self.publication)
        return self._frame


class Mailbox(Protocol):
    """What waits for one reader."""

    @property
    def ready(self) -> asyncio.Event:
        """Set while something waits, or the reader is asked to leave."""
        ...

    @property
    def urgent(self) -> asyncio.Event:
        """Set while something waits that is not to be held back for a beat: a status, a gap, a set change."""
        ...

    @property
    def overflowed(self) -> bool:
        """Whether more came than was read, beyond the bound. Nothing is offered any more after that."""
        ...

    def offer(self, entry: Entry) -> None:
        """Puts an event in. Never waits."""
        ...

    def take(self) -> list[Entry]:
        """Everything that waits, in order of position. The mailbox is empty afterwards."""
        ...

    def first_waiting(self) -> int | None:
        """The lowest sequence that waits."""
        ...


class LogMailbox:
    """Everything in order. Bound: `bound_bytes`; the event that would exceed it empties the box for good."""

    def __init__(self, bound_bytes: int) -> None:
        self._bound_bytes = bound_bytes
        self._waiting: list[Entry] = []
        self._bytes = 0
        self.ready = asyncio.Event()
        self.urgent = self.ready
        self.overflowed = False

    def offer(self, entry: Entry) -> None:
        """See Mailbox.offer."""
        if self.overflowed:
            return
        self._bytes += len(entry.frame)
        if self._bytes > self._bound_bytes:
            self.overflowed = True
            self._waiting.clear()
        else:
            self._waiting.append(entry)
        self.ready.set()

    def take(self) -> list[Entry]:
        """See Mailbox.take."""
        taken, self._waiting = self._waiting, []
        self._bytes = 0
        self.ready.clear()
        return taken

    def first_waiting(self) -> int | None:
        """See Mailbox.first_waiting."""
        return self._waiting[0].publication.seq if self._waiting else None


class LatestMailbox:
    """The newest of each kind per ticker. Bound: four events per ticker of the stream."""

    overflowed = False

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, PublicationKind], Entry] = {}
        # Tickers that were taken out and put back while both waited: the reader has them, and was told of neither.
        self._put_back: set[str] = set()
        self.ready = asyncio.Event()
        self.urgent = asyncio.Event()

    def offer(self, entry: Entry) -> None:
        """See Mailbox.offer. A newer tick or status replaces, gaps merge, set changes keep their net effect."""
        kind = entry.publication.kind
        key = (entry.publication.ticker, kind)
        waiting = self._waiting.get(key)
        if kind is PublicationKind.SET_CHANGE:
            self._offer_change(entry, waiting)
        elif kind is PublicationKind.GAP and waiting is not None:
            both = merged_gaps(waiting.publication, entry.publication)
            self._waiting[key] = Entry(both)
        else:
            self._waiting[key] = entry
        if kind is PublicationKind.TICK:
            self.ready.set()
        else:
            self._ring()

    def _offer_change(self, entry: Entry, waiting: Entry | None) -> None:
        ticker = entry.publication.ticker
        # Taken out first, so that changes of one position stay in the order in which they were offered.
        self._waiting.pop((ticker, PublicationKind.SET_CHANGE), None)
        if entry.change is Change.UNSUBSCRIBED:
            for kind in PublicationKind:
                self._waiting.pop((ticker, kind), None)
            if waiting is not None and waiting.change is Change.SUBSCRIBED and ticker not in self._put_back:
                return
            self._put_back.discard(ticker)
        elif waiting is not None and waiting.change is Change.UNSUBSCRIBED:
            self._put_back.add(ticker)
        self._waiting[ticker, PublicationKind.SET_CHANGE] = entry

    def _ring(self) -> None:
        _set(self.ready, bool(self._waiting))
        _set(self.urgent, any(kind is not PublicationKind.TICK for _, kind in self._waiting))

    def take(self) -> list[Entry]:
        """See Mailbox.take."""
        taken = self._in_order()
        self._waiting.clear()
        self._put_back.clear()
        self._ring()
        return taken

    def _in_order(self) -> list[Entry]:
        return sorted(self._waiting.values(), key=lambda entry: entry.publication.seq)

    def offer_earlier(self, entries: list[Entry]) -> None:
        """Puts a replay's events in where they belong: newer than an earlier page, older than what came."""
        waiting = self._in_order()
        self._waiting = {}
        for entry in sorted((*entries, *waiting), key=lambda each: each.publication.seq):
            self.offer(entry)

    def take_until(self, seq: int) -> list[Entry]:
        """What waits at or below a sequence, in order. The rest goes on waiting."""
        taken = [entry for entry in self._in_order() if entry.publication.seq <= seq]
        for entry in taken:
            del self._waiting[entry.publication.ticker, entry.publication.kind]
        self._ring()
        return taken

    def first_waiting(self) -> int | None:
        """See Mailbox.first_waiting."""
        return min((entry.publication.seq for entry in self._waiting.values()), default=None)


def _set(bell: asyncio.Event, rings: bool) -> None:
    if rings:
        bell.set()
    else:
        bell.clear()
