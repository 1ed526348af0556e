"""A stored row, and the event that it reproduces."""

from collections.abc import Collection
from dataclasses import fields
from decimal import Decimal
from typing import NamedTuple

import msgspec

from cryptomarket.market.instruments import Kind
from cryptomarket.market.position import Position
from cryptomarket.market.ticks import SUMMARY_OF_KIND, Source, Tick
from cryptomarket.market.wire import decode_summary, encode


class Row(NamedTuple):
    """A row of price_tickers, its columns in the order in which the repository reads them."""

    id: int
    source: str
    epoch: str | None
    seq: int | None
    prev_seq: int | None
    ticker: str
    instrument_name: str
    kind: str
    price: Decimal | None
    timestamp_ms: int
    received_us: int
    published_us: int | None
    summary: str | None

    @property
    def position(self) -> Position | None:
        """Where it stood in the stream; rows of other sources never did."""
        return Position(self.epoch, self.seq) if self.epoch is not None and self.seq is not None else None

    @property
    def tick(self) -> Tick:
        kind = Kind(self.kind)
        return Tick(
            self.ticker,
            self.instrument_name,
            kind,
            self.price,
            self.timestamp_ms,
            self.received_us,
            self.published_us,
            decode_summary(kind, self.summary) if self.summary is not None else None,
        )


class _Event(msgspec.Struct, frozen=True, gc=False):
    seq: int | None
    prev_seq: int | None
    ticker: str
    instrument_name: str
    kind: str
    price: Decimal | None
    timestamp: int
    received_us: int
    published_us: int | None


class _Place(msgspec.Struct, frozen=True, gc=False):
    source: str
    position: str | None


PLACE_FIELDS = _Place.__struct_fields__
EVENT_FIELDS = _Event.__struct_fields__


def _fields_of(kind: Kind) -> frozenset[str]:
    head = frozenset(PLACE_FIELDS + EVENT_FIELDS)
    return head.union(field.name for field in fields(SUMMARY_OF_KIND[kind])) if kind in SUMMARY_OF_KIND else head


FIELDS_OF_KIND = {kind: _fields_of(kind) for kind in Kind}
ROW_FIELDS = frozenset().union(*FIELDS_OF_KIND.values())


def event_json(row: Row) -> bytes:
    """The `data:` of the event as it was streamed."""
    head = encode(
        _Event(
            row.seq,
            row.prev_seq,
            row.ticker,
            row.instrument_name,
            row.kind,
            row.price,
            row.timestamp_ms,
            row.received_us,
            row.published_us,
        )
    )
    return head if row.summary is None else head[:-1] + b"," + row.summary.encode()[1:]


def row_json(row: Row) -> bytes:
    """The event with where it came from: its source, and its position if it has one."""
    place = encode(_Place(row.source, None if row.epoch is None else f"{row.epoch}-{row.seq}"))
    return place[:-1] + b"," + event_json(row)[1:]


_fields_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])


def chosen_json(row: Row, chosen: Collection[str]) -> bytes:
    """Only these fields of a row, digit for digit. What its kind doesn't have is absent."""
    whole = _fields_decoder.decode(row_json(row))
    return encode({name: value for name, value in whole.items() if name in chosen})


class StoredTick(NamedTuple):
    """The tick of a row, and the place it had in the stream."""

    tick: Tick
    epoch: str | None
    seq: int | None


class StoredGap(NamedTuple):
    """A recorded gap, its columns in the order in which the repository reads them."""

    ticker: str
    from_ms: int
    to_ms: int
    cause: str
    state: str
    seq: int | None
    prev_seq: int | None


class StoredStatus(NamedTuple):
    """A stored feed state, its columns in the order in which the repository reads them."""

    ticker: str
    state: str
    since_ms: int
    age_ms: int | None
    reason: str | None
    epoch: str
    seq: int
    prev_seq: int | None


class Choice(NamedTuple):
    """Which rows of a ticker are asked for, by source.

    Without `source`, `believed_only` leaves out what other sources say about times at which the stream was heard: it
    keeps stream rows, and rows of other sources inside a recorded gap or before the ticker's first stream row.
    """

    source: Source | None = None
    believed_only: bool = False
