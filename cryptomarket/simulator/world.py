"""The market with everything that is read off it: what is listed, how it stands, and what was scripted over it."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

import msgspec

from cryptomarket.simulator.books import Books
from cryptomarket.simulator.candles import Candles
from cryptomarket.simulator.catalogue import listings
from cryptomarket.simulator.listing import Listing
from cryptomarket.simulator.noise import bits
from cryptomarket.simulator.prices import Market
from cryptomarket.simulator.quotes import Quotes
from cryptomarket.simulator.spelling import Json
from cryptomarket.simulator.tickers import Tickers

_DAY_US = 86_400_000_000
_SETTLEMENT_US = 8 * 3_600_000_000


class _IndexPrice(msgspec.Struct):
    price: msgspec.Raw


class World:
    """Holds the catalogue of the day. Expiry is at 08:00 UTC; `turn` brings the next day's listing.

    Args:
        seed: names the market.
        origin_s: see `Market`.
        activity: instrument name pattern to the seconds between two changes.
        index_period_s: time between two ticks of an index.
        now_us: when the world begins.
    """

    def __init__(
        self, seed: int, origin_s: float, activity: Mapping[str, float], index_period_s: float, now_us: int
    ) -> None:
        self.market = Market(seed, origin_s)
        self.quotes = Quotes(self.market)
        self.tickers = Tickers(self.quotes)
        self.books = Books(self.tickers)
        self.candles = Candles(self.quotes, self.tickers.day_volume)
        self.locked: set[str] = set()
        self.adopted: set[str] = set()
        self.expired: dict[str, Listing] = {}
        self._index_period_us = int(index_period_s * 1e6)
        self._played: dict[str, msgspec.Raw] = {}
        self._played_indices: dict[str, msgspec.Raw] = {}
        self._activity = activity
        self.listed = {listing.name: listing for listing in listings(now_us // 1000, activity)}
        self.turns_us = self._next_turn(now_us)

    def find(self, name: str) -> Listing | None:
        """The listed or expired instrument of a name."""
        return self.listed.get(name) or self.expired.get(name)

    def adopt(self, found: Iterable[Listing]) -> None:
        """Lists the instruments of a recording, which do not expire while it plays."""
        for listing in found:
            if self.listed.setdefault(listing.name, listing) is listing:
                self.adopted.add(listing.name)

    def turn(self, now_us: int) -> list[tuple[Listing, str]]:
        """Settles what expired and lists what is new: (instrument, its new state)."""
        self.turns_us = self._next_turn(now_us)
        now_ms = now_us // 1000
        gone = [item for item in self.listed.values() if item.expiration_ms <= now_ms and item.name not in self.adopted]
        for listing in gone:
            self.expired[listing.name] = self.listed.pop(listing.name)
            self.tickers.states[listing.name] = "archivized"
        new = [item for item in listings(now_us // 1000, self._activity) if item.name not in self.listed]
        self.listed |= {item.name: item for item in new}
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
        played = self._played.get(listing.name)
        return played or self.tickers.at_step(listing, self.quotes.step(listing, now_us))

    def index_now(self, index_name: str, now_us: int) -> Json:
        """The price of an index at a time: what its channel said last."""
        played = self._played_indices.get(index_name)
        tick = self.index_tick(index_name, now_us)
        return played or self.market.index(index_name, self.index_begins_us(index_name, tick) / 1e6)

    def index_tick(self, index_name: str, now_us: int) -> int:
        """The number of an index's tick at a time."""
        return (now_us - self._index_phase_us(index_name)) // self._index_period_us

    def index_begins_us(self, index_name: str, tick: int) -> int:
        """When a tick of an index happens; each index has its own moment, so that not all of them speak at once."""
        return tick * self._index_period_us + self._index_phase_us(index_name)

    def remember(self, channel: str, data: bytes) -> None:
        """What a recording said last is also what the methods answer."""
        family, _, rest = channel.partition(".")
        if family == "ticker":
            self._played[rest.partition(".")[0]] = msgspec.Raw(data)
        elif family == "deribit_price_index":
            self._played_indices[rest] = msgspec.json.decode(data, type=_IndexPrice).price

    def _index_phase_us(self, index_name: str) -> int:
        return bits(self.market.key(f"phase/{index_name}"), 0) % 1000 * 1000

    def _next_turn(self, now_us: int) -> int:
        return (now_us - _SETTLEMENT_US) // _DAY_US * _DAY_US + _SETTLEMENT_US + _DAY_US


def fits(listing: Listing, kind: str, currency: str) -> bool:
    """Whether a filter of kind and currency finds an instrument."""
    right_kind = kind in ("any", listing.kind) or (kind == "combo" and listing.kind.endswith("_combo"))
    return right_kind and (currency == "any" or currency in listing.currencies())
