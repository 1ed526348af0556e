"""The events of a stream as bytes (WHATWG HTML, 9.2 "Server-sent events"). Each is encoded once, whoever hears it."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from cryptomarket.backplane.bus import Picture
from cryptomarket.market.position import Position
from cryptomarket.market.ticks import FeedState
from cryptomarket.market.wire import (
    Change,
    Publication,
    PublicationKind,
    data_of,
    decode_gap,
    decode_status,
    decode_tick,
    encode,
)

_NOTHING_KNOWN = {
    "instrument_name": None,
    "kind": None,
    "price": None,
    "timestamp": None,
    "received_us": None,
    "published_us": None,
    "seq": None,
    "prev_seq": None,
}
_HEAD_OF_KIND = {
    PublicationKind.TICK: b"",
    PublicationKind.STATUS: b"event: status\n",
    PublicationKind.GAP: b"event: gap\n",
}


def event(name: str, data: object, *, id_: Position | None = None, retry_ms: int | None = None) -> bytes:
    """One event with a JSON data line. JSON escapes line ends, and names and ids are our own, so none can be forged."""
    head = b"" if id_ is None else b"id: %s\n" % str(id_).encode()
    if retry_ms is not None:
        head += b"retry: %d\n" % retry_ms
    return head + b"event: %s\ndata: %s\n\n" % (name.encode(), encode(data))


def frame_of(publication: Publication) -> bytes:
    """The event of a tick (`message`, the default type), status or gap, with its own position as id."""
    return b"id: %s\n%sdata: %s\n\n" % (
        str(publication.position).encode(),
        _HEAD_OF_KIND[publication.kind],
        data_of(publication),
    )


def set_change(
    change: Change, ticker: str, tickers: Sequence[str], seq: int | None, picture: bytes, *, id_: Position | None
) -> bytes:
    """A ticker was taken into the set, followed by its snapshot `picture`, or out of it. The last of it has the id."""
    told = event(change.value, {"ticker": ticker, "tickers": tickers, "seq": seq}, id_=None if picture else id_)
    return told + picture


def merged_gaps(earlier: Publication, later: Publication) -> Publication:
    """Two waiting gaps of a ticker as one: from the first's beginning to the last's end, at the earlier's place. At the
    later's, whoever is cut off between the two would hold an id that promises the first, and never hear of it.
    """
    first, last = decode_gap(earlier.payload), decode_gap(later.payload)
    both = replace(first, from_ms=min(first.from_ms, last.from_ms), to_ms=max(first.to_ms, last.to_ms))
    return msgspec.structs.replace(earlier, payload=encode(both))


def _received_ms(picture: Picture) -> int | None:
    payload = picture.tick.payload if picture.tick is not None else picture.remembered
    return decode_tick(payload).received_us // 1000 if payload is not None else None


def feed_of(picture: Picture, *, now_ms: int) -> tuple[FeedState, int | None, int | None]:
    """(state, since_ms, age_ms) of a ticker's feed: what a snapshot and a keep-alive tell of it."""
    received_ms = _received_ms(picture)
    age_ms = max(0, now_ms - received_ms) if received_ms is not None else None
    if picture.status is None:
        return FeedState.UNKNOWN, None, age_ms
    status = decode_status(picture.status.payload)
    return status.state, status.since_ms, age_ms


def snapshot(ticker: str, picture: Picture, *, now_ms: int, id_: Position | None = None) -> bytes:
    """The last known tick of a ticker with its own seq, its age, its feed's state, and the seq that the ticker's next
    event will name as its predecessor. An instrument's own `state` is `instrument_state` here, beside its feed's.
    """
    state, since_ms, age_ms = feed_of(picture, now_ms=now_ms)
    more = encode({"age_ms": age_ms, "state": state, "since_ms": since_ms, "last_seq": picture.last_seq})
    if picture.tick is not None:
        told = data_of(picture.tick)
    elif picture.remembered is not None:
        told = b'{"seq":null,"prev_seq":null,' + picture.remembered[1:]
    else:
        told = encode({"ticker": ticker, **_NOTHING_KNOWN})
    # Quotes in a text are escaped, so this is the name; it stands before all that could nest another.
    told = told.replace(b',"state":', b',"instrument_state":', 1)
    head = b"" if id_ is None else b"id: %s\n" % str(id_).encode()
    return head + b"event: snapshot\ndata: %s,%s\n\n" % (told[:-1], more[1:])
