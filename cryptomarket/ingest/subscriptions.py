"""Which channels each slot should hold: wanted tickers, their linger, and their spread over the slots. Pure."""

import hashlib
from collections.abc import Collection, Iterable


def slot_of(ticker: str, slots: Collection[int]) -> int:
    """The data slot that carries a ticker, by rendezvous hashing: everyone computes the same without asking, and a
    slot more or less moves only its own share (Thaler and Ravishankar, 1998).
    """
    return max(slots, key=lambda slot: hashlib.blake2b(f"{slot}:{ticker}".encode(), digest_size=8).digest())


def spread(channels: Iterable[tuple[str, str]], slots: Collection[int]) -> dict[int, frozenset[str]]:
    """(ticker, channel) pairs → the channels of each slot. Every slot is named, also with none."""
    held: dict[int, set[str]] = {slot: set() for slot in slots}
    for ticker, channel in channels:
        held[slot_of(ticker, slots)].add(channel)
    return {slot: frozenset(of_slot) for slot, of_slot in held.items()}


class Linger:
    """What is held although nobody wants it any more: for `linger_s`, so that a reader who comes back at once
    costs no subscription and no gap. Bound: one entry per ticker that is held.
    """

    def __init__(self, linger_s: float) -> None:
        self._linger_s = linger_s
        self._until_s: dict[str, float] = {}

    def held(self, wanted: Collection[str], now_s: float) -> frozenset[str]:
        """The tickers to hold now, given those that are wanted now."""
        for ticker in wanted:
            self._until_s[ticker] = now_s + self._linger_s
        self._until_s = {ticker: until for ticker, until in self._until_s.items() if until > now_s}
        return frozenset(self._until_s) | frozenset(wanted)
