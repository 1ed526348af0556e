"""Which lines get which frames: seats that want the same tickers are one audience, and get the same bytes.

What is offered before a flush leaves in one write per line. Finding the audiences of a ticker, framing and
joining are done once, whoever hears it; what is done per line is the write.
"""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from cryptomarket.live.transport import Line, chunk_of


class Tally(NamedTuple):
    """What was written: events, and bytes with their framing."""

    events: int = 0
    bytes: int = 0

    def plus(self, other: "Tally") -> "Tally":
        """Both together."""
        return Tally(self.events + other.events, self.bytes + other.bytes)

    def minus(self, other: "Tally") -> "Tally":
        """What is more here than there."""
        return Tally(self.events - other.events, self.bytes - other.bytes)


NO_TALLY = Tally()


@dataclass(eq=False, slots=True)
class Audience:
    """Lines that want exactly these tickers. `pending` waits for the flush; `told_s` is the last write,
    `tally` what was ever written.
    """

    tickers: frozenset[str]
    writes: dict[Hashable, Callable[[bytes], None]] = field(default_factory=dict)
    pending: list[bytes] = field(default_factory=list)
    told_s: float = 0.0
    tally: Tally = NO_TALLY


class Fanout:
    """Audiences by ticker. Bound: what is published together waits, and each line's buffer is bounded by the hub."""

    def __init__(self) -> None:
        self._by_tickers: dict[frozenset[str], Audience] = {}
        self._by_ticker: dict[str, set[Audience]] = {}
        # Each line's audience, and how much that had been written when the line joined it.
        self._of: dict[Hashable, tuple[Audience, Tally]] = {}
        self._dirty: list[Audience] = []

    def wants(self, ticker: str) -> bool:
        """Whether anybody here wants a ticker."""
        return ticker in self._by_ticker

    def join(self, who: Hashable, line: Line, tickers: Iterable[str], now_s: float) -> None:
        """From the next frame on, these tickers are written to the line."""
        wanted = frozenset(tickers)
        audience = self._by_tickers.get(wanted)
        if audience is None:
            audience = self._by_tickers[wanted] = Audience(wanted)
            for ticker in wanted:
                self._by_ticker.setdefault(ticker, set()).add(audience)
        # What waits there was published before the newcomer's first.
        self._write(audience, now_s)
        audience.writes[who] = line.write
        self._of[who] = audience, audience.tally

    def part(self, who: Hashable, now_s: float) -> Tally:
        """Takes a line out, after what waits for it was written. Returns what it was written."""
        if who not in self._of:
            return NO_TALLY
        audience, joined_at = self._of.pop(who)
        self._write(audience, now_s)
        audience.writes.pop(who, None)
        if not audience.writes and self._by_tickers.get(audience.tickers) is audience:
            del self._by_tickers[audience.tickers]
            for ticker in audience.tickers:
                self._by_ticker[ticker].discard(audience)
                if not self._by_ticker[ticker]:
                    del self._by_ticker[ticker]
        return audience.tally.minus(joined_at)

    def tally(self, who: Hashable) -> Tally:
        """What a line was written since it joined."""
        if who not in self._of:
            return NO_TALLY
        audience, joined_at = self._of[who]
        return audience.tally.minus(joined_at)

    def told_s(self, who: Hashable) -> float:
        """When something was last written to all of the audience of `who`, by the clock that `flush` is told."""
        return self._of[who][0].told_s

    def offer(self, ticker: str, frame: bytes) -> None:
        """Lets a frame wait for the flush."""
        audiences = self._by_ticker.get(ticker)
        if audiences:
            chunk = chunk_of(frame)
            for audience in audiences:
                if not audience.pending:
                    self._dirty.append(audience)
                audience.pending.append(chunk)

    def flush(self, now_s: float) -> None:
        """Writes what waits."""
        dirty, self._dirty = self._dirty, []
        for audience in dirty:
            self._write(audience, now_s)

    @staticmethod
    def _write(audience: Audience, now_s: float) -> None:
        if not audience.pending:
            return
        data = audience.pending[0] if len(audience.pending) == 1 else b"".join(audience.pending)
        audience.tally = audience.tally.plus(Tally(len(audience.pending), len(data)))
        audience.pending.clear()
        audience.told_s = now_s
        gone = []
        for who, write in audience.writes.items():
            try:
                write(data)
            except RuntimeError:
                # Closed a moment ago, and nobody was told yet: uvloop's transports say so, and asyncio's don't.
                gone.append(who)
        for who in gone:
            del audience.writes[who]
