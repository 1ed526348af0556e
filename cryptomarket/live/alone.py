"""What a process finds out by itself, and tells without an id: `seq` and `prev_seq` of it are null."""

from collections.abc import Callable, Collection, Iterable

import msgspec

from cryptomarket.backplane.bus import Picture
from cryptomarket.live.events import feed_of
from cryptomarket.live.mailbox import Entry
from cryptomarket.market.position import Position
from cryptomarket.market.ticks import FeedState, GapCause, Status
from cryptomarket.market.wire import Publication, PublicationKind, decode_status, encode

NOWHERE = Position("", 0)
INGEST = "ingest"


class Absence:
    """What this process found out by itself: the bus is away, or nobody hears the exchange. Either way no feed is known
    to be live, whatever was published last.

    Who comes to hear the exchange again speaks of one ticker after the other; until then, a feed that was live stays
    down. Bound: one name for each ticker of which something was published.
    """

    def __init__(self) -> None:
        self._bus: Publication | None = None
        self._ingest: Publication | None = None
        self._nobody_hears = False
        self._spoken_of: set[str] = set()
        self._awaited: set[str] = set()

    def of(self, ticker: str) -> Publication | None:
        """The status that a feed has meanwhile, None where the published one stands."""
        if self._bus is not None:
            return self._bus
        is_silent = ticker not in self._spoken_of if self._nobody_hears else ticker in self._awaited
        return self._ingest if is_silent else None

    def covers(self, ticker: str) -> bool:
        """Whether nothing of a ticker can be heard now, whatever was published last."""
        return self.of(ticker) is not None

    def lose_bus(self, *, now_ms: int) -> bool:
        """Nothing that is published is heard. False when it was known."""
        known, self._bus = self._bus, self._bus or _down(GapCause.BUS.value, now_ms)
        return known is None

    @property
    def bus_is_away(self) -> bool:
        """Whether nothing that is published is heard."""
        return self._bus is not None

    def find_bus(self) -> None:
        """Everything that was published was heard."""
        self._bus = None

    def lose_ingest(self, *, now_ms: int) -> bool:
        """Nobody hears the exchange. False when it was known."""
        known, self._nobody_hears = self._nobody_hears, True
        if not known:
            self._ingest = _down(INGEST, now_ms)
            self._spoken_of.clear()
            self._awaited.clear()
        return not known

    def find_ingest(self, live: Callable[[], Iterable[str]], held: Collection[str]) -> None:
        """Somebody hears the exchange, and has spoken of what he holds. Of the feeds that are `live` by what was
        published last, he has yet to speak; of others that stands.
        """
        if self._nobody_hears:
            self._nobody_hears = False
            self._awaited = set(live()) - self._spoken_of
            self._spoken_of.clear()
        self._awaited.difference_update(held)

    def spoken_of(self, ticker: str) -> None:
        """The status of a feed was published, and stands."""
        if self._nobody_hears:
            self._spoken_of.add(ticker)
        self._awaited.discard(ticker)


def _down(reason: str, now_ms: int) -> Publication:
    status = Status("", FeedState.DOWN, now_ms, None, reason)
    return Publication(NOWHERE, PublicationKind.STATUS, "", None, encode(status))


def after(position: Position, kind: PublicationKind, ticker: str) -> Publication:
    """A place for a word of our own: behind everything that was published so far, and before what comes next. It was
    not published, and its `seq` is told to nobody.
    """
    return Publication(Position(position.epoch, position.seq + 1), kind, ticker, None, b"")


def status_of(ticker: str, picture: Picture, position: Position, *, now_ms: int) -> Entry:
    """The state of a feed, as its picture tells it."""
    state, since_ms, age_ms = feed_of(picture, now_ms=now_ms)
    reason = decode_status(picture.status.payload).reason if picture.status is not None else None
    told = Status(ticker, state, now_ms if since_ms is None else since_ms, age_ms, reason)
    frame = b'event: status\ndata: {"seq":null,"prev_seq":null,%s\n\n' % encode(told)[1:]
    return Entry(after(position, PublicationKind.STATUS, ticker), frame)


def as_seen(picture: Picture, away: Publication | None) -> Picture:
    """A picture as streams are told it: what the process found out by itself stands above what was published."""
    return picture if away is None else msgspec.structs.replace(picture, status=away)
