"""Which tickers the seats of this process want, and which of them listen by mailbox."""

import asyncio
from collections import Counter
from collections.abc import Collection

from cryptomarket.live.seat import Seat


class Interest:
    """Counts by ticker, and seats by ticker. `changed` is set when a ticker is wanted for the first time, or no longer.
    Bound: what the seats want.
    """

    def __init__(self) -> None:
        self._wanted: Counter[str] = Counter()
        self._listeners: dict[str, set[Seat]] = {}
        self.changed = asyncio.Event()

    @property
    def tickers(self) -> Collection[str]:
        """What anybody wants."""
        return self._wanted.keys()

    def more(self, ticker: str) -> None:
        """One seat more wants it."""
        if ticker not in self._wanted:
            self.changed.set()
        self._wanted[ticker] += 1

    def less(self, ticker: str) -> None:
        """One seat fewer wants it."""
        self._wanted[ticker] -= 1
        if not self._wanted[ticker]:
            del self._wanted[ticker]
            self.changed.set()

    def listeners(self, ticker: str) -> Collection[Seat]:
        """Whose mailboxes its events go to."""
        return self._listeners.get(ticker, ())

    def listen(self, seat: Seat, ticker: str) -> None:
        """From now on its events go to the seat's mailbox."""
        self._listeners.setdefault(ticker, set()).add(seat)

    def unlisten(self, seat: Seat, ticker: str) -> None:
        """From now on they don't."""
        of_ticker = self._listeners.get(ticker)
        if of_ticker is not None:
            of_ticker.discard(seat)
            if not of_ticker:
                del self._listeners[ticker]
