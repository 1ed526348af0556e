"""The market with everything that is read off it: what is listed, how it stands, and what was scripted over it."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

import msgspec

from cryptomarket.simulator.books import Books
from cryptomarket.simulator.candles import Candles
from cryptomarket.simulator.catalogue import listings
from cryptomarket.simulator.listing import Listing
from cryptomarket.simulator.prices import Market
from cryptomarket.simulator.quotes import Quotes
from cryptomarket.simulator.spelling import Json
from cryptomarket.simulator.tickers import Tickers

_DAY_US = 86_400_000_000
_SETTLEMENT_US = 8 * 3_600_000_000


class World:
    """Holds the catalogue of the day. Expiry is at 08:00 UTC; `turn` brings the next day's listing.

    Args:
        seed: names the market.
        origin_s: see `Market`.
        activity: instrument name pattern to the seconds between two changes.
        now_us: when the world begins.
    """

    def __init__(self, seed: int, origin_s: float, activity: Mapping[str, float], now_us: int) -> None:
        self.market = Market(seed, origin_s)
        self.quotes = Quotes(self.market)
        self.tickers = Tickers(self.quotes)
        self.books = Books(self.tickers)
        self.candles = Candles(self.quotes, self.tickers.day_volume)
        self.locked: set[str] = set()
        self.expired: dict[str, Listing] = {}
        self.played: dict[str, bytes] = {}
        self._activity = activity
        self.listed = {listing.name: listing for listing in listings(now_us // 1000, activity)}
        self.turns_us = self._next_turn(now_us)

    def find(self, name: str) -> Listing | None:
        """The listed or expired instrument of a name."""
        return self.listed.get(name) or self.expired.get(name)

    def adopt(self, found: Iterable[Listing]) -> None:
        """Lists further instruments, such as those of a recording."""
        for listing in found:
            self.listed.setdefault(listing.name, listing)

    def turn(self, now_us: int) -> list[tuple[Listing, str]]:
        """Settles what expired and lists what is new: (instrument, its new state)."""
        self.turns_us = self._next_turn(now_us)
        gone = [listing for listing in self.listed.values() if listing.expiration_ms <= now_us // 1000]
        for listing in gone:
            self.expired[listing.name] = self.listed.pop(listing.name)
            self.tickers.states[listing.name] = "archivized"
        new = [item for item in listings(now_us // 1000, self._activity) if item.name not in self.listed]
        self.adopt(new)
        return [(listing, "archivized") for listing in gone] + [(listing, "open") for listing in new]

    def matching(self, kind: str, currency: str) -> list[Listing]:
        """Listed instruments of a kind (``any``, ``combo``) and a currency (``any``)."""
        return [item for item in self.listed.values() if fits(item, kind, currency)]

    def named(self, patterns: Iterable[str]) -> list[Listing]:
        """Listed instruments whose name fits one of the patterns."""
        wanted = tuple(patterns)
        return [item for item in self.listed.values() if any(fnmatchcase(item.name, pattern) for pattern in wanted)]

    def expired_matching(self, kind: str, currency: str) -> list[Listing]:
        """The same among those that expired while the simulator ran."""
        return [item for item in self.expired.values() if fits(item, kind, currency)]

    def ticker_now(self, listing: Listing, now_us: int) -> Json:
        """The ticker at a time: a recording's where it tells one, else the one of the current state."""
        played = self.played.get(listing.name)
        return msgspec.Raw(played) if played else self.tickers.at_step(listing, self.quotes.step(listing, now_us))

    def _next_turn(self, now_us: int) -> int:
        return (now_us - _SETTLEMENT_US) // _DAY_US * _DAY_US + _SETTLEMENT_US + _DAY_US


def fits(listing: Listing, kind: str, currency: str) -> bool:
    """Whether a filter of kind and currency finds an instrument."""
    right_kind = kind == "any" or listing.kind == kind or (kind == "combo" and listing.kind.endswith("_combo"))
    return right_kind and (currency == "any" or currency in listing.currencies())
