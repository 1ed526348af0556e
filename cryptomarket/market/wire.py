"""The only codec for what crosses the bus and the stream.

A publication travels as its *payload*: one JSON object without its place in the order, encoded once by whoever
publishes. Readers add the place by splicing (`data_of`), so a tick is encoded once however many hear it.
Decimals are written as JSON numbers of the same value, and read from the token without passing through a float.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

import msgspec

from cryptomarket.market.instruments import Kind
from cryptomarket.market.position import Position
from cryptomarket.market.ticks import SUMMARY_OF_KIND, Gap, Status, Summary, Tick


class PublicationKind(StrEnum):
    """What a publication is. The first three form each ticker's chain of `prev_seq`."""

    TICK = "tick"
    STATUS = "status"
    GAP = "gap"
    SET_CHANGE = "set_change"


class Publication(msgspec.Struct, frozen=True, gc=False):
    """Something said at `position`, in the one order.

    `prev_seq` is the sequence of the ticker's previous tick, status or gap, None at the start of the epoch.
    A set change belongs to `user_id` and to no ticker's chain.
    """

    position: Position
    kind: PublicationKind
    ticker: str
    prev_seq: int | None
    payload: bytes
    user_id: str | None = None

    @property
    def seq(self) -> int:
        """The sequence within the epoch."""
        return self.position.seq


class Change(StrEnum):
    """What happened to a user's set."""

    SUBSCRIBED = "subscribed"
    UNSUBSCRIBED = "unsubscribed"


@dataclass(frozen=True, slots=True)
class SetChange:
    """`ticker` was added to or taken from the saved set of `user_id`, which is `tickers` since.

    `version` grows with each change of that user's set, so a reader that hears two changes in the other order, or
    not at all, still ends with the right set.
    """

    user_id: str
    change: Change
    ticker: str
    tickers: tuple[str, ...]
    version: int


class _Head(msgspec.Struct, frozen=True):
    """What every tick begins with. `timestamp` is in milliseconds, as the contract names it."""

    ticker: str
    instrument_name: str
    kind: Kind
    price: Decimal | None
    timestamp: int
    received_us: int
    published_us: int | None


# A quotation mark inside of a string is escaped, so none of these is ever found in a value.
_TIMES = {
    PublicationKind.TICK: re.compile(rb'"timestamp":(-?\d+)'),
    PublicationKind.STATUS: re.compile(rb'"since_ms":(-?\d+)'),
    PublicationKind.GAP: re.compile(rb'"to_ms":(-?\d+)'),
}

# The last field of every tick's head; what stands behind it is the summary.
_END_OF_HEAD = b'"published_us":'

_encoder = msgspec.json.Encoder(decimal_format="number")
_head_decoder = msgspec.json.Decoder(_Head)
_summary_decoders = {kind: msgspec.json.Decoder(type_) for kind, type_ in SUMMARY_OF_KIND.items()}
_status_decoder = msgspec.json.Decoder(Status)
_gap_decoder = msgspec.json.Decoder(Gap)
_set_change_decoder = msgspec.json.Decoder(SetChange)


def encode(value: object) -> bytes:
    """Any value of ours as one line of JSON. Decimals become numbers of the same value."""
    return _encoder.encode(value)


def encode_summary(summary: Summary) -> bytes:
    """An instrument's summary as a JSON object: the part of a tick that only instruments have."""
    return _encoder.encode(summary)


def decode_summary(kind: Kind, text: bytes | str) -> Summary:
    """The summary in `text`, for an instrument of `kind`. Raises msgspec.ValidationError on what is not one."""
    return _summary_decoders[kind].decode(text)


def encode_tick(tick: Tick, *, published_us: int) -> bytes:
    """The payload of a tick that is published at `published_us`."""
    head = _encoder.encode(
        _Head(
            tick.ticker,
            tick.instrument_name,
            tick.kind,
            tick.price,
            tick.timestamp_ms,
            tick.received_us,
            published_us,
        )
    )
    return head if tick.summary is None else head[:-1] + b"," + _encoder.encode(tick.summary)[1:]


def decode_tick(payload: bytes) -> Tick:
    """The tick in a payload, equal to the one that was published. Raises msgspec.ValidationError."""
    head = decode_head(payload)
    decoder = _summary_decoders.get(head.kind)
    return head if decoder is None else head._replace(summary=decoder.decode(payload))


def decode_head(payload: bytes) -> Tick:
    """The tick in a payload without its summary, for those who keep that as it is spelled (`summary_text`). Raises
    msgspec.ValidationError.
    """
    head = _head_decoder.decode(payload)
    return Tick(
        head.ticker, head.instrument_name, head.kind, head.price, head.timestamp, head.received_us, head.published_us
    )


def summary_text(payload: bytes) -> str | None:
    """The summary in a payload of `encode_tick`, spelled as `encode_summary` would, found without decoding it; None
    where there is none.
    """
    _, _, behind = payload.partition(_END_OF_HEAD)
    _, comma, summary = behind.partition(b",")
    return "{" + summary.decode() if comma else None


def decode_status(payload: bytes) -> Status:
    """The status in a payload. Raises msgspec.ValidationError."""
    return _status_decoder.decode(payload)


def decode_gap(payload: bytes) -> Gap:
    """The gap in a payload. Raises msgspec.ValidationError."""
    return _gap_decoder.decode(payload)


def decode_set_change(payload: bytes) -> SetChange:
    """The set change in a payload. Raises msgspec.ValidationError."""
    return _set_change_decoder.decode(payload)


def time_of(kind: PublicationKind, payload: bytes) -> int | None:
    """The millisecond that a payload tells, found without decoding it: a tick's exchange time, the one since which a
    status holds, the end of a gap. None for what tells none.
    """
    pattern = _TIMES.get(kind)
    found = pattern.search(payload) if pattern is not None else None
    return int(found[1]) if found is not None else None


def data_of(publication: Publication) -> bytes:
    """The `data:` of a tick, status or gap: its payload with `seq` and `prev_seq` put in front."""
    previous = b"null" if publication.prev_seq is None else b"%d" % publication.prev_seq
    return b'{"seq":%d,"prev_seq":%s,' % (publication.seq, previous) + publication.payload[1:]
