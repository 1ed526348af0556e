"""What a stream tells, as values. Absent fields of the exchange are None; every price is a Decimal.

Times are integers since the Unix epoch with their unit in the name; `timestamp_ms` is the exchange's own.
"""

from decimal import Decimal
from typing import ClassVar, Literal

import msgspec

from cryptomarket.market.instruments import Kind
from cryptomarket.market.ticks import FeedState, Greeks, Source, Stats


class Tick(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """One market event of a ticker. `price` is the index price of an index, the last price of an instrument (None if it
    never traded). `prev_seq` is the `seq` of the ticker's previous tick, status or gap.

    `position` is the event's place, `<epoch>-<seq>`, and `source` where it comes from: of a stored row what the row
    says; of a live event its id, and `stream`.
    """

    kind: ClassVar[Kind]

    ticker: str
    instrument_name: str
    price: Decimal | None
    timestamp_ms: int = msgspec.field(name="timestamp")
    received_us: int
    published_us: int | None = None
    seq: int | None = None
    prev_seq: int | None = None
    position: str | None = None
    source: Source = Source.STREAM


class IndexTick(Tick, frozen=True, kw_only=True, tag_field="kind", tag="index"):
    """A price of an index."""

    kind: ClassVar[Kind] = Kind.INDEX


class InstrumentTick(Tick, frozen=True, kw_only=True, tag_field="kind"):
    """What the exchange's ticker says of any instrument. `state` is the instrument's own, not its feed's."""

    state: str | None = None
    last_price: Decimal | None = None
    mark_price: Decimal | None = None
    index_price: Decimal | None = None
    best_bid_price: Decimal | None = None
    best_bid_amount: Decimal | None = None
    best_ask_price: Decimal | None = None
    best_ask_amount: Decimal | None = None
    min_price: Decimal | None = None
    max_price: Decimal | None = None
    open_interest: Decimal | None = None
    settlement_price: Decimal | None = None
    estimated_delivery_price: Decimal | None = None
    stats: Stats = Stats()


class SpotTick(InstrumentTick, frozen=True, kw_only=True, tag_field="kind", tag="spot"):
    """A pair of currencies."""

    kind: ClassVar[Kind] = Kind.SPOT


class ComboTick(InstrumentTick, frozen=True, kw_only=True, tag_field="kind", tag="combo"):
    """Several instruments that are traded as one."""

    kind: ClassVar[Kind] = Kind.COMBO


class FutureTick(InstrumentTick, frozen=True, kw_only=True, tag_field="kind", tag="future"):
    """A dated future. `delivery_price` is known once it has expired."""

    kind: ClassVar[Kind] = Kind.FUTURE

    delivery_price: Decimal | None = None


class PerpetualTick(InstrumentTick, frozen=True, kw_only=True, tag_field="kind", tag="perpetual"):
    """A perpetual. Funding is a fraction per eight hours."""

    kind: ClassVar[Kind] = Kind.PERPETUAL

    current_funding: Decimal | None = None
    funding_8h: Decimal | None = None
    interest_value: Decimal | None = None


class OptionTick(InstrumentTick, frozen=True, kw_only=True, tag_field="kind", tag="option"):
    """An option. Implied volatilities are in percent."""

    kind: ClassVar[Kind] = Kind.OPTION

    underlying_price: Decimal | None = None
    underlying_index: str | None = None
    interest_rate: Decimal | None = None
    mark_iv: Decimal | None = None
    bid_iv: Decimal | None = None
    ask_iv: Decimal | None = None
    greeks: Greeks = Greeks()
    delivery_price: Decimal | None = None


AnyTick = IndexTick | SpotTick | ComboTick | FutureTick | PerpetualTick | OptionTick


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The last known tick of a ticker (None when none is known) and how its feed is, told when a stream begins. The
    ticker's next event has `last_seq` as its `prev_seq`.
    """

    ticker: str
    state: FeedState
    since_ms: int | None = None
    age_ms: int | None = None
    last_seq: int | None = None
    instrument_state: str | None = None
    tick: AnyTick | None = None


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The feed of a ticker is in another state."""

    ticker: str
    state: FeedState
    since_ms: int | None = None
    age_ms: int | None = None
    reason: str | None = None
    seq: int | None = None
    prev_seq: int | None = None
    position: str | None = None


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing is known of the ticker in [from_ms, to_ms)."""

    ticker: str
    from_ms: int
    to_ms: int
    cause: str
    state: str
    seq: int | None = None
    prev_seq: int | None = None
    position: str | None = None


class Connected(msgspec.Struct, frozen=True, kw_only=True):
    """A connection stands. `resume` is `fresh` at the first, `complete` when it goes on where the last one ended."""

    user_id: str
    request_id: str
    exchange: str
    tickers: tuple[str, ...]
    resume: Literal["fresh", "complete", "reset"]
    position: str
    server_time_us: int


class Reset(Connected, frozen=True, kw_only=True):
    """A connection stands, and could not go on where the last one ended: events may be missing. Snapshots follow."""


class Subscribed(msgspec.Struct, frozen=True, kw_only=True):
    """A ticker is new in the saved set, which is `tickers` since. Its snapshot follows."""

    ticker: str
    tickers: tuple[str, ...]
    seq: int | None = None


class Unsubscribed(msgspec.Struct, frozen=True, kw_only=True):
    """A ticker was taken out of the saved set, which is `tickers` since."""

    ticker: str
    tickers: tuple[str, ...]
    seq: int | None = None


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """How the feed of a ticker is."""

    state: FeedState
    age_ms: int | None = None
    seq: int | None = None


class KeepAlive(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing else was to be told for a while."""

    position: str
    server_time_us: int
    feeds: dict[str, Feed]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A fault of the gateway after the stream had begun (RFC 9457)."""

    title: str
    status: int
    detail: str = ""
    request_id: str = ""


class Disconnected(msgspec.Struct, frozen=True, kw_only=True):
    """The gateway ends the connection, and says why. The stream comes back by itself."""

    reason: str
    retry_ms: int


class Interrupted(msgspec.Struct, frozen=True, kw_only=True):
    """The client's own word: there is no connection, and the next one is tried in `returns_in_s` seconds."""

    reason: str
    returns_in_s: float


Event = (
    AnyTick
    | Snapshot
    | Status
    | Gap
    | Connected
    | Reset
    | Subscribed
    | Unsubscribed
    | KeepAlive
    | Problem
    | Disconnected
    | Interrupted
)

_tick = msgspec.json.Decoder(AnyTick)
_DECODERS: dict[str, msgspec.json.Decoder[Event]] = {
    "message": _tick,
    "snapshot": msgspec.json.Decoder(Snapshot),
    "status": msgspec.json.Decoder(Status),
    "gap": msgspec.json.Decoder(Gap),
    "connected": msgspec.json.Decoder(Connected),
    "subscribed": msgspec.json.Decoder(Subscribed),
    "unsubscribed": msgspec.json.Decoder(Unsubscribed),
    "keep_alive": msgspec.json.Decoder(KeepAlive),
    "problem": msgspec.json.Decoder(Problem),
    "disconnected": msgspec.json.Decoder(Disconnected),
}


def event_of(name: str, data: str, position: str | None = None) -> Event | None:
    """The event of this name and data; None for a name that a newer gateway may have. `position` is its id.

    Raises msgspec.ValidationError for data that is not of its kind.
    """
    decoder = _DECODERS.get(name)
    if decoder is None:
        return None
    event = decoder.decode(data)
    if isinstance(event, Snapshot):
        return _with_tick(event, data)
    if isinstance(event, Connected) and event.resume == "reset":
        return Reset(**msgspec.structs.asdict(event))
    if isinstance(event, Tick | Status | Gap) and event.seq is not None:
        return msgspec.structs.replace(event, position=position)
    return event


class _Told(msgspec.Struct):
    """Whether a snapshot knows a tick at all."""

    kind: str | None = None


_told = msgspec.json.Decoder(_Told)


def _with_tick(snapshot: Snapshot, data: str) -> Snapshot:
    if _told.decode(data).kind is None:
        return snapshot
    tick = _tick.decode(data)
    if isinstance(tick, InstrumentTick):
        # In a snapshot `state` is the feed's, and the instrument's own has a name of its own.
        tick = msgspec.structs.replace(tick, state=snapshot.instrument_state)
    return msgspec.structs.replace(snapshot, tick=tick)
