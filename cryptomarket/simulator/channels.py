"""Channel names taken apart (docs.deribit.com/subscriptions). Instrument names hold no dots, so a split is safe."""

from dataclasses import dataclass
from typing import Final, Literal

from cryptomarket.simulator.candles import RESOLUTIONS_S
from cryptomarket.simulator.names import CURRENCIES, VOLATILITY_INDEX_NAMES

Family = Literal[
    "ticker", "incremental_ticker", "book", "grouped_book", "quote", "trades", "kind_trades", "perpetual", "chart",
    "index", "ranking", "statistics", "volatility", "expiration", "markprice", "instrument_state", "platform_state",
    "public_methods_state", "announcements", "private",
]  # fmt: skip

INTERVALS_US: Final[dict[str, int]] = {"raw": 0, "100ms": 100_000, "agg2": 1_000_000}
GROUPS: Final = frozenset(("none", "1", "2", "5", "10", "25", "100", "250"))
DEPTHS: Final = frozenset(("1", "10", "20"))
KINDS: Final = frozenset(("future", "option", "spot", "combo", "future_combo", "option_combo", "any"))
_BY_INDEX: Final[dict[str, Family]] = {
    "deribit_price_index": "index",
    "deribit_price_ranking": "ranking",
    "deribit_price_statistics": "statistics",
    "deribit_volatility_index": "volatility",
    "estimated_expiration_price": "expiration",
    "markprice.options": "markprice",
}
_PRIVATE: Final = ("user.", "block_rfq.", "block_trade_confirmations")
_SINGLE: Final[dict[str, Family]] = {
    "platform_state": "platform_state",
    "platform_state.public_methods_state": "public_methods_state",
    "announcements": "announcements",
}


@dataclass(frozen=True, slots=True)
class Channel:
    """A well-formed channel. ``subject`` is an instrument, an index, or a kind; the rest is empty where it has no use.

    ``interval_us`` is the least time between two notifications.
    """

    name: str
    family: Family
    subject: str = ""
    interval_us: int = 0
    is_raw: bool = False
    currency: str = ""
    group: str = ""
    depth: int = 0
    resolution: str = ""


def parse(name: str) -> Channel | None:
    """The channel of a name; None when its shape is unknown, so that it is silently left out of a reply."""
    if name in _SINGLE:
        return Channel(name, _SINGLE[name])
    if name.startswith(_PRIVATE):
        return Channel(name, "private")
    match name.split("."):
        case ["ticker" | "perpetual" | "trades" | "book" as family, instrument, interval] if interval in INTERVALS_US:
            return _timed(name, family, instrument, interval)
        case ["book", instrument, group, depth, interval] if (
            interval in INTERVALS_US and group in GROUPS and depth in DEPTHS
        ):
            channel = _timed(name, "grouped_book", instrument, interval)
            return Channel(name, "grouped_book", instrument, channel.interval_us, channel.is_raw, "", group, int(depth))
        case ["trades", kind, currency, interval] if interval in INTERVALS_US and kind in KINDS and _known(currency):
            channel = _timed(name, "kind_trades", kind, interval)
            return Channel(name, "kind_trades", kind, channel.interval_us, channel.is_raw, currency)
        case ["incremental_ticker", instrument]:
            return Channel(name, "incremental_ticker", instrument, 1_000_000)
        case ["quote", instrument]:
            return Channel(name, "quote", instrument)
        case ["chart", "trades", instrument, resolution] if resolution in RESOLUTIONS_S:
            return Channel(name, "chart", instrument, 1_000_000, resolution=resolution)
        case ["instrument", "state", kind, currency] if kind in KINDS and _known(currency):
            return Channel(name, "instrument_state", kind, currency=currency)
        case [*front, index] if ".".join(front) in _BY_INDEX:
            about = _BY_INDEX[".".join(front)]
            known = about != "volatility" or index in VOLATILITY_INDEX_NAMES
            return Channel(name, about, index, 1_000_000) if known else None
    return None


def _timed(name: str, family: Family, instrument: str, interval: str) -> Channel:
    return Channel(name, family, instrument, INTERVALS_US[interval], interval == "raw")


def _known(currency: str) -> bool:
    return currency == "any" or currency.upper() in CURRENCIES
