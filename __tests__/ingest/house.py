"""A feed over a real bus in memory, with a clock that is moved by hand and a pool that is told what to say."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from cryptomarket.backplane.bus import Fence
from cryptomarket.clock import Clock
from cryptomarket.deribit.events import Heard, Held
from cryptomarket.errors import ExchangeUnavailable, UnknownTicker
from cryptomarket.foundation import memory_backplane
from cryptomarket.ingest.feed import Feed
from cryptomarket.ingest.gaps import Patience
from cryptomarket.ingest.holding import Holding, Periods
from cryptomarket.market.instruments import Instrument, Kind
from cryptomarket.market.position import Position
from cryptomarket.market.ticks import Gap, Status, Tick
from cryptomarket.market.wire import PublicationKind, decode_gap, decode_status

START_US = 1_768_768_182_000_000
INDEX = Instrument("btc_usd", Kind.INDEX)
OPTION = Instrument("BTC-27MAR26-100000-C", Kind.OPTION)
PERIODS = Periods(patience=Patience(5.0, 30.0))


class Hands:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now_us = START_US

    @property
    def now_s(self) -> float:
        return self.now_us / 1e6

    @property
    def now_ms(self) -> int:
        return self.now_us // 1000

    def forward(self, seconds: float) -> None:
        self.now_us += round(seconds * 1e6)

    def clock(self) -> Clock:
        return Clock(lambda: self.now_us / 1e6, lambda: self.now_us)


def tick_at(instrument: Instrument, timestamp_ms: int, price: str = "1.5") -> Tick:
    return Tick(
        instrument.name, instrument.name, instrument.kind, Decimal(price), timestamp_ms, timestamp_ms * 1000 + 20_000
    )


@dataclass
class Exchange:
    """The pool, as ingest needs it: notes what it should hold."""

    held: dict[int, frozenset[str]] = field(default_factory=dict)
    answers: dict[str, bytes] = field(default_factory=dict)
    data_slots: Sequence[int] = (0,)
    interval: str = "100ms"

    def hold(self, slot: int, channels: Collection[str]) -> None:
        self.held[slot] = frozenset(channels)

    async def request(self, method: str, params: dict[str, object], *, timeout_s: float) -> bytes:
        answer = self.answers.get(str(params["instrument_name"]))
        if answer is None:
            raise ExchangeUnavailable("The exchange can't be reached.")
        return answer


class Listed:
    """A directory of what is listed."""

    def __init__(self, *instruments: Instrument) -> None:
        self.listed = {instrument.name: instrument for instrument in instruments}

    def all(self) -> Collection[Instrument]:
        return self.listed.values()

    def known(self, name: str) -> Instrument | None:
        return self.listed.get(name)

    def nearest(self, name: str, count: int = 3) -> Sequence[str]:
        return list(self.listed)[:count]

    def forget(self, name: str) -> None:
        self.listed.pop(name, None)

    async def resolve(self, name: str) -> Instrument:
        if name not in self.listed:
            raise UnknownTicker(name, self.nearest(name))
        return self.listed[name]


class Forgetful:
    """Nothing was stored."""

    async def last_tick(self, ticker: str) -> Tick | None:
        return None

    async def last_status(self, ticker: str) -> Status | None:
        return None


class Owner:
    """Owns slot 0."""

    def fence_of(self, slot: int) -> Fence | None:
        return Fence("slot:0", 1)


class House:
    """Feed and holding for some instruments, all of them always collected."""

    def __init__(self, *instruments: Instrument, always: Collection[str] | None = None) -> None:
        self.hands = Hands()
        clock = self.hands.clock()
        self.backplane = memory_backplane(clock, log_capacity=1000, log_hard_capacity=2000)
        self.exchange = Exchange()
        self.directory = Listed(*instruments)
        self.feed = Feed(self.backplane.bus, Owner(), clock=clock)
        self.holding = Holding(
            self.backplane.demand,
            self.backplane.bus,
            self.directory,
            Forgetful(),
            self.feed,
            self.exchange,
            slots=lambda: [0],
            always=always if always is not None else [instrument.name for instrument in instruments],
            periods=PERIODS,
            clock=clock,
        )
        self._read: Position | None = None

    async def begin(self) -> None:
        """Takes the slot, and listens."""
        await self.backplane.leases.acquire("slot:0", "me", life_s=1000)
        self._read = await self.backplane.bus.head()
        await self.holding.settle()

    def heard(self, instrument: Instrument, *, age_ms: int = 0, price: float = 1.5) -> None:
        """The exchange sends a tick, whose own time is `age_ms` ago."""
        timestamp_ms = self.hands.now_ms - age_ms
        if instrument.kind is Kind.INDEX:
            channel = f"deribit_price_index.{instrument.name}"
            data: dict[str, object] = {"index_name": instrument.name, "price": price, "timestamp": timestamp_ms}
        else:
            channel = f"ticker.{instrument.name}.100ms"
            data = ticker_of(instrument, timestamp_ms, price)
        self.feed.hear(Heard(0, channel, msgspec.Raw(msgspec.json.encode(data)), self.hands.now_us))

    def platform(self, **data: object) -> None:
        """The exchange says something of itself."""
        self.feed.hear(Heard(0, "platform_state", msgspec.Raw(msgspec.json.encode(data)), self.hands.now_us))

    def held(self) -> None:
        """The exchange accepts everything that is asked for."""
        self.feed.hear(Held(0, tuple(self.exchange.held[0])))

    async def told(self) -> list[str]:
        """What was published since the last look: `tick`, `live` and other states with their reasons, `gap:cause`."""
        await self.feed.publish_outbox()
        assert self._read is not None
        head = await self.backplane.bus.head()
        words = []
        for publication in await self.backplane.bus.since(self._read, head.seq, 1000):
            match publication.kind:
                case PublicationKind.TICK:
                    words.append("tick")
                case PublicationKind.STATUS:
                    status = decode_status(publication.payload)
                    words.append(f"{status.state}:{status.reason}")
                case PublicationKind.GAP:
                    gap: Gap = decode_gap(publication.payload)
                    words.append(f"gap:{gap.cause}")
                case other:
                    raise AssertionError(other)
        self._read = head
        return words


def ticker_of(instrument: Instrument, timestamp_ms: int, price: float = 1.5) -> dict[str, object]:
    """The exchange's ticker of an instrument."""
    return {
        "instrument_name": instrument.name,
        "timestamp": timestamp_ms,
        "last_price": price,
        "state": "open",
        "stats": {},
    }
