"""What waits to be published, in order of hearing. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import NamedTuple

from cryptomarket.ingest.gaps import Word
from cryptomarket.market.ticks import Gap, GapCause, Tick


class _Newest(NamedTuple):
    """A ticker's newest tick: its place, the place of the gap that goes with it, and where the tick before it was."""

    tick_at: int
    gap_at: int | None
    before_ms: int | None
    timestamp_ms: int


class Outbox:
    """Bound: `bound` words; beyond that, a ticker's newest waiting tick is given up for the one that comes, and the
    loss is told as a gap before it. What else may come then is one gap and a few statuses per ticker.
    """

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._waiting: dict[int, tuple[int, Word]] = {}
        self._newest: dict[str, _Newest] = {}
        self._next = 0
        self.given_up = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, slot: int, words: Sequence[Word], *, before_ms: int | None = None) -> None:
        """Puts in what one hearing, or this gateway itself, has to say of one ticker. `before_ms` is the exchange time
        of the tick that came right before a tick among them, None where that isn't known.
        """
        tick, gap = None, None
        for word in words:
            if isinstance(word, Tick):
                tick = tick or word
            elif isinstance(word, Gap):
                gap = gap or word
        if tick is None:
            for word in words:
                self._append(slot, word)
            return
        newest = self._newest.get(tick.ticker)
        if newest is not None:
            before_ms = newest.timestamp_ms
        if newest is not None and len(self._waiting) >= self._bound and newest.tick_at in self._waiting:
            before_ms = newest.before_ms
            gap = self._without(newest, tick, gap)
        gap_at = self._append(slot, gap) if gap is not None else None
        tick_at = self._append(slot, tick)
        if gap is not None:
            before_ms = gap.from_ms
        self._newest[tick.ticker] = _Newest(tick_at, gap_at, before_ms, tick.timestamp_ms)
        for word in words:
            if not isinstance(word, Tick | Gap):
                self._append(slot, word)

    def _without(self, newest: _Newest, tick: Tick, gap: Gap | None) -> Gap | None:
        """Gives up the newest waiting tick; the gap that is told instead, None where nothing came before."""
        self.given_up += 1
        del self._waiting[newest.tick_at]
        told = self._waiting.pop(newest.gap_at)[1] if newest.gap_at in self._waiting else None
        if isinstance(told, Gap):
            return replace(told, to_ms=tick.timestamp_ms)
        if newest.before_ms is None or newest.before_ms >= tick.timestamp_ms:
            return None
        cause = gap.cause if gap is not None else GapCause.BUS
        return Gap(tick.ticker, newest.before_ms, tick.timestamp_ms, cause)

    def _append(self, slot: int, word: Word) -> int:
        at = self._next
        self._next += 1
        self._waiting[at] = (slot, word)
        return at

    def drain(self) -> list[tuple[int, Word]]:
        """Everything that waits, with its slot. Nothing waits afterwards."""
        drained = list(self._waiting.values())
        self._waiting.clear()
        return drained

    def keep(self, tickers: Collection[str]) -> None:
        """Only these are heard from now on. What waits of others still leaves."""
        self._newest = {ticker: newest for ticker, newest in self._newest.items() if ticker in tickers}

    def forget(self, tickers: Collection[str]) -> None:
        """Nothing of these is to leave any more."""
        self._waiting = {at: entry for at, entry in self._waiting.items() if entry[1].ticker not in tickers}
        self.keep(self._newest.keys() - tickers)
