"""What is heard of an instrument: ticks, the state of a feed, and gaps in what was heard.

A tick is made for every message of the exchange: a named tuple is made in a third of the time that a frozen data class
takes. Summaries have slots, and not for the memory: without them, the codec would leave out what was not sent.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from cryptomarket.market.instruments import Kind


@dataclass(frozen=True, slots=True)
class Stats:
    """The last 24 hours. Volumes are in base currency, USD and notional; `price_change` is in percent."""

    high: Decimal | None = None
    low: Decimal | None = None
    volume: Decimal | None = None
    volume_usd: Decimal | None = None
    volume_notional: Decimal | None = None
    price_change: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Greeks:
    """The option's sensitivities, as the exchange computes them."""

    delta: Decimal | None = None
    gamma: Decimal | None = None
    vega: Decimal | None = None
    theta: Decimal | None = None
    rho: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything that the exchange's ticker says of any instrument, spot and combos included. None is "not sent".

    Source: docs.deribit.com/subscriptions/market-data/tickerinstrument_nameinterval
    """

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


@dataclass(frozen=True, slots=True)
class FutureSummary(Summary):
    """A dated future. `delivery_price` is known once it has expired."""

    delivery_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class PerpetualSummary(Summary):
    """A perpetual. Funding is a fraction per eight hours."""

    current_funding: Decimal | None = None
    funding_8h: Decimal | None = None
    interest_value: Decimal | None = None


@dataclass(frozen=True, slots=True)
class OptionSummary(Summary):
    """An option. Implied volatilities are in percent; `underlying_index` is a name such as `SYN.BTC-2APR20`."""

    underlying_price: Decimal | None = None
    underlying_index: str | None = None
    interest_rate: Decimal | None = None
    mark_iv: Decimal | None = None
    bid_iv: Decimal | None = None
    ask_iv: Decimal | None = None
    greeks: Greeks = Greeks()
    delivery_price: Decimal | None = None


SUMMARY_OF_KIND: dict[Kind, type[Summary]] = {
    Kind.FUTURE: FutureSummary,
    Kind.PERPETUAL: PerpetualSummary,
    Kind.OPTION: OptionSummary,
    Kind.SPOT: Summary,
    Kind.COMBO: Summary,
}


class Source(StrEnum):
    """Where a row came from. Only rows of the stream have a position."""

    STREAM = "stream"
    COLLECTED = "collected"
    BACKFILL = "backfill"


class Tick(NamedTuple):
    """One market event of an instrument.

    `price` is the index price of an index, the last price of an instrument (None if it never traded).
    `timestamp_ms` is the exchange's own time, kept as sent; `received_us` is when the frame was read here and
    `published_us` just before it was published: three clocks' words, none overwrites another.
    `summary` is None for an index.
    """

    ticker: str
    instrument_name: str
    kind: Kind
    price: Decimal | None
    timestamp_ms: int
    received_us: int
    published_us: int | None = None
    summary: Summary | None = None

    def says_the_same(self, other: "Tick") -> bool:
        """Whether both carry the same word of the exchange: same exchange time, same content, whenever they came."""
        return (
            self.timestamp_ms == other.timestamp_ms
            and self.price == other.price
            and self.ticker == other.ticker
            and self.summary == other.summary
        )


class FeedState(StrEnum):
    """How far a ticker's feed can be believed right now. Before any data it is `unknown`, never `live`."""

    UNKNOWN = "unknown"
    LIVE = "live"
    STALE = "stale"
    DOWN = "down"
    MAINTENANCE = "maintenance"
    HALTED = "halted"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Status:
    """The feed of `ticker` is in `state` since `since_ms`; its last tick was heard `age_ms` before this was said."""

    ticker: str
    state: FeedState
    since_ms: int
    age_ms: int | None = None
    reason: str | None = None


class GapCause(StrEnum):
    """Why nothing was heard."""

    DISCONNECT = "disconnect"
    SILENCE = "silence"
    NOT_SUBSCRIBED = "not_subscribed"
    RESTART = "restart"
    MAINTENANCE = "maintenance"
    MALFORMED = "malformed"
    BUS = "bus"
    WRITER = "writer"


class GapState(StrEnum):
    """What became of a gap."""

    RECORDED = "recorded"


@dataclass(frozen=True, slots=True)
class Gap:
    """Nothing is known of `ticker` in [from_ms, to_ms): exchange times of the last tick before and the first after."""

    ticker: str
    from_ms: int
    to_ms: int
    cause: GapCause
    state: GapState = GapState.RECORDED
