"""What history, the catalogue and the saved set answer, as values. Ranges are [start_ms, end_ms)."""

from collections.abc import Iterable
from dataclasses import asdict, is_dataclass
from decimal import Decimal

import msgspec

from cryptomarket.client.events import AnyTick, Gap, Tick
from cryptomarket.market.candles import Resolution
from cryptomarket.market.instruments import Kind
from cryptomarket.market.ticks import FeedState, Source

# A gap of history is the one that was streamed.
RecordedGap = Gap


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """How a range was understood, and whether everything of it was heard and stored; else `gaps` says what is missing,
    as far as it is known.
    """

    ticker: str
    start_ms: int = msgspec.field(name="start")
    end_ms: int = msgspec.field(name="end")
    complete: bool
    gaps: tuple[RecordedGap, ...]


class TicksPage(Judged, frozen=True, kw_only=True):
    """A page of stored ticks. `next_cursor` is None on the last one."""

    count: int
    next_cursor: str | None
    ticks: tuple[AnyTick, ...] = msgspec.field(name="data")


class PriceAt(msgspec.Struct, frozen=True, kw_only=True):
    """A price and the exchange's time of it."""

    timestamp_ms: int = msgspec.field(name="timestamp")
    price: Decimal


class Statistics(Judged, frozen=True, kw_only=True):
    """What the prices of a range have in common; None where there is none. All are exact but the average."""

    count: int
    min: Decimal | None
    max: Decimal | None
    avg: Decimal | None
    first: PriceAt | None
    last: PriceAt | None


class Candle(msgspec.Struct, frozen=True, kw_only=True):
    """The prices of one stretch of time that begins at `timestamp_ms`. `is_closed`: its time is over; `is_revised`: a
    price came in when it was closed already; `is_synthetic`: nothing was traded, and the exchange filled it in.
    """

    timestamp_ms: int = msgspec.field(name="timestamp")
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    ticks: int
    source: Source
    is_closed: bool = msgspec.field(name="closed")
    is_revised: bool = msgspec.field(name="revised", default=False)
    is_synthetic: bool = msgspec.field(name="synthetic", default=False)


class Candles(Judged, frozen=True, kw_only=True):
    """Candles that overlap a range, each whole, oldest first."""

    resolution: Resolution
    count: int
    candles: tuple[Candle, ...] = msgspec.field(name="data")


class TickAt(msgspec.Struct, frozen=True, kw_only=True):
    """The tick closest to a moment, and how far it is away; or the newest, and how old it is."""

    tick: AnyTick
    difference_ms: int | None = None
    age_ms: int | None = None


class TickerInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A thing that can be subscribed. What the exchange does not say of its kind is None."""

    ticker: str
    kind: Kind
    is_active: bool = msgspec.field(name="active")
    base_currency: str | None = None
    quote_currency: str | None = None
    settlement_currency: str | None = None
    index_name: str | None = None
    state: str | None = None
    creation_ms: int | None = None
    expiration_ms: int | None = None
    strike: Decimal | None = None
    option_type: str | None = None
    tick_size: Decimal | None = None
    contract_size: Decimal | None = None


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """A ticker of the saved set, and how its feed is."""

    ticker: str
    subscribed_ms: int
    state: FeedState
    since_ms: int | None = None
    age_ms: int | None = None


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a bulk answer: `sha256` is of all its bytes before the trailer (of CSV: of all), `complete` says
    whether everything of the range was heard.
    """

    request_id: str
    ticker: str
    format: str
    start_ms: int = msgspec.field(name="start")
    end_ms: int = msgspec.field(name="end")
    state: str
    rows: int
    sha256: str | None
    complete: bool


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """Who the caller is."""

    user_id: str
    exchange: str
    deribit_id: int | None = None
    email: str | None = None
    username: str | None = None
    system_name: str | None = None
    type: str | None = None
    last_seen_ms: int | None = None


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway that is alive, and which exchange is behind it."""

    status: str
    version: str
    exchange: str
    simulated: bool
    exchange_reachable: bool


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One part's truth."""

    ready: bool
    detail: str


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a gateway can do its work, part by part."""

    ready: bool
    parts: dict[str, Part]


class RangeOf(msgspec.Struct, frozen=True, kw_only=True):
    """A list in an answer."""

    data: tuple[RecordedGap, ...]


class TickerList(msgspec.Struct, frozen=True, kw_only=True):
    """The catalogue's answer."""

    data: tuple[TickerInfo, ...]


class SubscriptionList(msgspec.Struct, frozen=True, kw_only=True):
    """The saved set's answer."""

    subscriptions: tuple[Subscription, ...]


class SavedSet(msgspec.Struct, frozen=True, kw_only=True):
    """The saved set after a change."""

    tickers: tuple[str, ...] = ()
    cancelled: tuple[str, ...] = ()


class Distance(msgspec.Struct, frozen=True, kw_only=True):
    """How far a told tick is away from what was asked."""

    difference_ms: int | None = None
    age_ms: int | None = None


def records(values: Iterable[Tick | Candle]) -> list[dict[str, object]]:
    """One flat dict per tick or candle, as `pandas.DataFrame(records(…))` takes them: what lies in `stats` and `greeks`
    is named as exports name it (`stats.high`), and a tick's `kind` is a column.
    """
    return [_record(value) for value in values]


def _record(value: Tick | Candle) -> dict[str, object]:
    flat: dict[str, object] = {"kind": value.kind.value} if isinstance(value, Tick) else {}
    for name, field in msgspec.structs.asdict(value).items():
        if is_dataclass(field) and not isinstance(field, type):
            flat |= {f"{name}.{inner}": part for inner, part in asdict(field).items()}
        else:
            flat[name] = field
    return flat
