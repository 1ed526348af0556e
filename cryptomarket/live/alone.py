"""What a process finds out by itself, and tells without an id: `seq` and `prev_seq` of it are null."""

from dataclasses import replace

from cryptomarket.backplane.bus import Picture
from cryptomarket.live.events import feed_of
from cryptomarket.live.mailbox import Entry
from cryptomarket.market.position import Position
from cryptomarket.market.ticks import FeedState, GapCause, Status
from cryptomarket.market.wire import Publication, PublicationKind, decode_status, encode

NOWHERE = Position("", 0)


def bus_is_away(*, now_ms: int) -> Publication:
    """The status of every feed from now until the bus is back."""
    status = Status("", FeedState.DOWN, now_ms, None, GapCause.BUS.value)
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
    """A picture as streams are told it: while the bus is away, no feed is live."""
    return picture if away is None else replace(picture, status=away)
