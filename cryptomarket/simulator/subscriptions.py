"""Which channels are open, who follows them, and what they have to say now."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from cryptomarket.simulator.channels import Channel, parse
from cryptomarket.simulator.connections import Connection
from cryptomarket.simulator.feeds import NEVER_US, Feed, StateFeed, open_feed
from cryptomarket.simulator.listing import Listing
from cryptomarket.simulator.options import SimulatorOptions
from cryptomarket.simulator.playback import Playback
from cryptomarket.simulator.spelling import Json
from cryptomarket.simulator.world import World

_FORCED_EVERY_US: Final = 5_000


@dataclass(frozen=True, slots=True)
class Notice:
    """Data of a channel for some connections."""

    channel: str
    connections: Sequence[int]
    data: Json


@dataclass(slots=True)
class _Open:
    channel: Channel
    feed: Feed
    followers: dict[int, None] = field(default_factory=dict)
    ids: tuple[int, ...] = ()


class PlayedFeed:
    """A channel of a recording: the playback speaks for it; a newcomer gets the latest it said."""

    def __init__(self, playback: Playback, channel: Channel) -> None:
        self._playback, self._channel = playback, channel
        self.due_us = NEVER_US

    def greet(self, now_us: int) -> Sequence[Json]:
        latest = self._playback.latest.get(self._channel.name)
        # The latest change of a book would be no beginning, and a trade would be told twice.
        told_once = self._channel.family in ("book", "trades", "kind_trades", "incremental_ticker")
        return () if latest is None or told_once else (msgspec.Raw(latest),)

    def advance(self, now_us: int) -> Sequence[Json]:
        return ()


class Subscriptions:
    """Opens a feed with the first follower of a channel and drops it with the last."""

    def __init__(self, world: World, options: SimulatorOptions, playback: Playback | None, now_us: int) -> None:
        self._world, self._options, self._playback = world, options, playback
        self._open: dict[str, _Open] = {}
        self._due: list[tuple[int, str]] = []
        self._forced: list[_Open] = []
        self._forced_us = now_us
        self._forced_owed = 0.0
        self._forced_number = 0

    def subscribe(self, connection: Connection, names: Sequence[str], now_us: int) -> tuple[list[str], list[Notice]]:
        """(accepted names, what newcomers receive at once). Unknown ones are left out silently (wire)."""
        accepted: list[str] = []
        greetings: list[Notice] = []
        for name in dict.fromkeys(names):
            found = self._open.get(name) or self._begin(name, now_us)
            if found is None:
                continue
            accepted.append(name)
            if connection.id in found.followers:
                continue
            found.followers[connection.id] = None
            found.ids = tuple(found.followers)
            connection.channels.add(name)
            greetings += [Notice(name, (connection.id,), data) for data in found.feed.greet(now_us)]
        return accepted, greetings

    def unsubscribe(self, connection: Connection, names: Sequence[str]) -> list[str]:
        """The names that this connection really followed."""
        removed = [name for name in dict.fromkeys(names) if name in connection.channels]
        for name in removed:
            connection.channels.discard(name)
            found = self._open[name]
            found.followers.pop(connection.id, None)
            found.ids = tuple(found.followers)
            if not found.followers:
                del self._open[name]
                self._forced = [item for item in self._forced if item is not found]
        return removed

    def followers(self) -> dict[str, int]:
        """Open channels and how many connections follow each."""
        return {name: len(found.followers) for name, found in self._open.items()}

    def due_us(self) -> int | None:
        """When a feed may have something; None when nothing is open."""
        times = [self._due[0][0]] if self._due else []
        if self._forced:
            times.append(self._forced_us + _FORCED_EVERY_US)
        played_us = self._playback.due_us() if self._playback else None
        if played_us is not None:
            times.append(played_us)
        return min(times, default=None)

    def advance(self, now_us: int) -> list[Notice]:
        """Everything that is due, in order within each channel."""
        notices: list[Notice] = []
        while self._due and self._due[0][0] <= now_us:
            due_us, name = heapq.heappop(self._due)
            found = self._open.get(name)
            if found is None or found.feed.due_us != due_us:
                continue
            notices += [Notice(name, found.ids, data) for data in found.feed.advance(now_us)]
            heapq.heappush(self._due, (found.feed.due_us, name))
        if self._playback is not None:
            for played in self._playback.advance(now_us):
                self._world.remember(played.channel, played.data)
                found = self._open.get(played.channel)
                if found is not None:
                    notices.append(Notice(played.channel, found.ids, msgspec.Raw(played.data)))
        if self._forced:
            notices += self._force(now_us)
        else:
            self._forced_us = now_us
        return notices

    def say(self, family: str, data: Json) -> list[Notice]:
        """The same for every open channel of a family, such as ``platform_state``."""
        return [Notice(name, found.ids, data) for name, found in self._open.items() if found.channel.family == family]

    def say_state(self, listing: Listing, state: str, now_us: int) -> list[Notice]:
        """An instrument's new state, for the channels that it concerns."""
        data: Json = {"timestamp": now_us // 1000, "state": state, "instrument_name": listing.name}
        return [
            Notice(name, found.ids, data)
            for name, found in self._open.items()
            if isinstance(found.feed, StateFeed) and found.feed.concerns(listing)
        ]

    def _begin(self, name: str, now_us: int) -> _Open | None:
        channel = parse(name)
        if channel is None:
            return None
        feed: Feed | None
        if self._playback is not None and name in self._playback.channels:
            feed = PlayedFeed(self._playback, channel)
        else:
            feed = open_feed(self._world, channel, now_us)
        if feed is None:
            return None
        found = self._open[name] = _Open(channel, feed)
        if self._options.rate > 0 and channel.family in ("ticker", "index") and feed.due_us != NEVER_US:
            if not self._forced:
                self._forced_us = now_us
            self._forced.append(found)
        elif feed.due_us != NEVER_US:
            heapq.heappush(self._due, (feed.due_us, name))
        return found

    def _force(self, now_us: int) -> list[Notice]:
        # Load tests: the asked number of notifications per second, in turn over the open price channels.
        self._forced_owed += (now_us - self._forced_us) / 1e6 * self._options.rate
        self._forced_us = now_us
        count = int(self._forced_owed)
        self._forced_owed -= count
        notices: list[Notice] = []
        for _ in range(min(count, 100_000)):
            self._forced_number += 1
            found = self._forced[self._forced_number % len(self._forced)]
            notices.append(Notice(found.channel.name, found.ids, self._forced_data(found.channel, now_us)))
        return notices

    def _forced_data(self, channel: Channel, now_us: int) -> Json:
        turn = self._forced_number // len(self._forced)
        if channel.family == "index":
            # Whole seconds keep the path cheap; the cents make every notification differ from the one before.
            price = self._world.market.index(channel.subject, now_us // 1_000_000)
            return {"timestamp": now_us // 1000, "price": round(price * (1 + turn % 97 * 1e-6), 10),
                    "index_name": channel.subject}  # fmt: skip
        listing = self._world.find(channel.subject)
        return None if listing is None else self._world.tickers.forced(listing, now_us, turn)
