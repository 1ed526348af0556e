"""What each public channel says, and when. A feed is shared by all subscribers of its channel.

Every feed works the same way: `greet` is what a new subscriber receives at once, `advance` what is due since the
last time, `due_us` when there may be something again. Feeds hold no clock and no subscribers.
"""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from cryptomarket.simulator import trades
from cryptomarket.simulator.candles import RESOLUTIONS_S
from cryptomarket.simulator.channels import Channel
from cryptomarket.simulator.index_feeds import INDEX_FEEDS
from cryptomarket.simulator.listing import Listing
from cryptomarket.simulator.names import INDEX_NAMES
from cryptomarket.simulator.spelling import Json
from cryptomarket.simulator.world import World, fits

NEVER_US: Final = 1 << 62


class Feed(Protocol):
    """One open channel's source. Data are the ``data`` members of notifications."""

    due_us: int

    def greet(self, now_us: int) -> Sequence[Json]: ...
    def advance(self, now_us: int) -> Sequence[Json]: ...


class StepFeed:
    """Follows the states of one instrument, at most one notification per interval."""

    def __init__(self, world: World, channel: Channel, listing: Listing, now_us: int) -> None:
        self._world, self._listing, self._interval_us = world, listing, channel.interval_us
        self._say: Callable[[World, Listing, int], Json] = _STEP_DATA[channel.family]
        self._step = world.quotes.step(listing, now_us)
        self.due_us = self._next(now_us)

    def greet(self, now_us: int) -> Sequence[Json]:
        return [self._say(self._world, self._listing, self._step)]

    def advance(self, now_us: int) -> Sequence[Json]:
        step = self._world.quotes.step(self._listing, now_us)
        self.due_us = max(self._world.quotes.begins_us(self._listing, step + 1), now_us + self._interval_us)
        if step == self._step or self._listing.name not in self._world.listed:
            return ()
        before, self._step = self._step, step
        return self._spoken(before)

    def _spoken(self, before: int) -> Sequence[Json]:
        return [self._say(self._world, self._listing, self._step)]

    def _next(self, now_us: int) -> int:
        return self._world.quotes.begins_us(self._listing, self._step + 1)


class BookFeed(StepFeed):
    """Snapshot, then changes; ``prev_change_id`` names the state that was sent before, so the chain has no hole."""

    def _spoken(self, before: int) -> Sequence[Json]:
        change = self._world.books.change(self._listing, before, self._step)
        if change is None:
            self._step = before
            return ()
        return [change]


class GroupedBookFeed(StepFeed):
    """The whole window each time."""

    def __init__(self, world: World, channel: Channel, listing: Listing, now_us: int) -> None:
        super().__init__(world, channel, listing, now_us)
        self._say = lambda world, listing, step: world.books.grouped(listing, step, channel.group, channel.depth)


class IncrementalFeed(StepFeed):
    """First everything, then only what differs, nested objects included."""

    def greet(self, now_us: int) -> Sequence[Json]:
        return [{"type": "snapshot", **self._world.tickers.at_step(self._listing, self._step)}]

    def _spoken(self, before: int) -> Sequence[Json]:
        tickers = self._world.tickers
        old, new = tickers.at_step(self._listing, before), tickers.at_step(self._listing, self._step)
        head: dict[str, Json] = {"type": "change", "instrument_name": self._listing.name, "timestamp": new["timestamp"]}
        return [head | {key: item for key, item in _changed(old, new).items() if key not in head}]


class TradesFeed:
    """Trades of some instruments, gathered over the interval into one array."""

    _POLL_US: Final = 100_000

    def __init__(self, world: World, channel: Channel, now_us: int, listing: Listing | None = None) -> None:
        self._world, self._channel, self._listing = world, channel, listing
        self._told_us = now_us
        self.due_us = now_us + max(channel.interval_us, self._POLL_US)

    def greet(self, now_us: int) -> Sequence[Json]:
        return ()

    def advance(self, now_us: int) -> Sequence[Json]:
        since_us, self._told_us = self._told_us, now_us
        self.due_us = now_us + max(self._channel.interval_us, self._POLL_US)
        found = [
            trade for listing in self._sources() for trade in trades.between(self._world, listing, since_us, now_us)
        ]
        found.sort(key=_trade_order)
        return [found] if found else ()

    def _sources(self) -> Sequence[Listing]:
        if self._listing is not None:
            return (self._listing,)
        currency = self._channel.currency
        return self._world.matching(self._channel.subject, currency if currency == "any" else currency.upper())


class ChartFeed:
    """The running candle, again and again; no flag says when it is complete."""

    def __init__(self, world: World, channel: Channel, listing: Listing, now_us: int) -> None:
        self._world, self._listing = world, listing
        self._length_s = RESOLUTIONS_S[channel.resolution]
        self._interval_us = channel.interval_us
        self.due_us = now_us + self._interval_us

    def greet(self, now_us: int) -> Sequence[Json]:
        return [self._candle(now_us)]

    def advance(self, now_us: int) -> Sequence[Json]:
        self.due_us = now_us + self._interval_us
        return [self._candle(now_us)]

    def _candle(self, now_us: int) -> Json:
        opens_s = now_us // 1_000_000 // self._length_s * self._length_s
        candle = self._world.candles.at(self._listing, opens_s, self._length_s, now_us)
        return {"tick": candle.tick_ms, "open": candle.open, "high": candle.high, "low": candle.low,
                "close": candle.close, "volume": candle.volume, "cost": candle.cost}  # fmt: skip


class IndexFeed:
    """The index family: one notification a second at the index's own moment of the second."""

    def __init__(self, world: World, channel: Channel, now_us: int) -> None:
        self._world, self._channel = world, channel
        self._tick = world.index_tick(channel.subject, now_us)
        self.due_us = world.index_begins_us(channel.subject, self._tick + 1)

    def greet(self, now_us: int) -> Sequence[Json]:
        return [self._say()]

    def advance(self, now_us: int) -> Sequence[Json]:
        tick = self._world.index_tick(self._channel.subject, now_us)
        self.due_us = self._world.index_begins_us(self._channel.subject, tick + 1)
        if tick == self._tick or self._channel.subject in self._world.locked:
            return ()
        self._tick = tick
        return [self._say()]

    def _say(self) -> Json:
        at_us = self._world.index_begins_us(self._channel.subject, self._tick)
        return INDEX_FEEDS[self._channel.family](self._world, self._channel.subject, at_us)


class StateFeed:
    """Channels that speak when something happens: platform, instruments, announcements. Others push into them."""

    def __init__(self, world: World, channel: Channel) -> None:
        self._world, self._channel = world, channel
        self.due_us = NEVER_US

    def greet(self, now_us: int) -> Sequence[Json]:
        if self._channel.family == "platform_state":
            locked = self._world.locked
            return [{"price_index": name, "locked": name in locked} for name in INDEX_NAMES]
        if self._channel.family == "public_methods_state":
            return [{"allow_unauthenticated_public_requests": True}]
        return ()

    def advance(self, now_us: int) -> Sequence[Json]:
        return ()

    def concerns(self, listing: Listing) -> bool:
        """Whether the channel tells about an instrument."""
        currency = self._channel.currency
        is_state = self._channel.family == "instrument_state"
        return is_state and fits(listing, self._channel.subject, currency if currency == "any" else currency.upper())


def open_feed(world: World, channel: Channel, now_us: int) -> Feed | None:
    """The source of a channel; None when its instrument or index does not exist."""
    match channel.family:
        case "platform_state" | "public_methods_state" | "announcements" | "instrument_state" | "private":
            return StateFeed(world, channel)
        case "kind_trades":
            return TradesFeed(world, channel, now_us)
        case family if family in INDEX_FEEDS:
            known = channel.subject in INDEX_NAMES
            return IndexFeed(world, channel, now_us) if known else None
    listing = world.listed.get(channel.subject)
    if listing is None or (channel.family == "perpetual" and not listing.is_perpetual):
        return None
    match channel.family:
        case "trades":
            return TradesFeed(world, channel, now_us, listing)
        case "chart":
            return ChartFeed(world, channel, listing, now_us)
        case "book":
            return BookFeed(world, channel, listing, now_us)
        case "grouped_book":
            return GroupedBookFeed(world, channel, listing, now_us)
        case "incremental_ticker":
            return IncrementalFeed(world, channel, listing, now_us)
    return StepFeed(world, channel, listing, now_us)


def _quote(world: World, listing: Listing, step: int) -> Json:
    ticker = world.tickers.at_step(listing, step)
    names = ("timestamp", "instrument_name", "best_ask_price", "best_bid_price", "best_ask_amount", "best_bid_amount")
    return {name: ticker[name] for name in names}


def _perpetual(world: World, listing: Listing, step: int) -> Json:
    begins_us = world.quotes.begins_us(listing, step)
    current, _ = world.tickers.funding(listing, begins_us / 1e6)
    index = world.market.index(listing.price_index, begins_us / 1e6)
    return {"index_price": index, "interest": current, "timestamp": begins_us // 1000}


_STEP_DATA: Final[dict[str, Callable[[World, Listing, int], Json]]] = {
    "ticker": lambda world, listing, step: world.tickers.at_step(listing, step),
    "incremental_ticker": lambda world, listing, step: world.tickers.at_step(listing, step),
    "quote": _quote,
    "perpetual": _perpetual,
    "book": lambda world, listing, step: world.books.snapshot(listing, step),
    "grouped_book": lambda world, listing, step: world.books.snapshot(listing, step),
}


def _changed(old: dict[str, Json], new: dict[str, Json]) -> dict[str, Json]:
    changed: dict[str, Json] = {}
    for key, item in new.items():
        before = old.get(key)
        if isinstance(item, dict) and isinstance(before, dict):
            nested = _changed(before, item)
            if nested:
                changed[key] = nested
        elif item != before:
            changed[key] = item
    return changed


def _trade_order(trade: dict[str, Json]) -> int:
    timestamp = trade["timestamp"]
    return timestamp if isinstance(timestamp, int) else 0
