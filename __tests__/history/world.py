"""Ticks, a bus that anybody may publish on, and a clock that stands still: what the tests of history are made of."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal

from cryptomarket.backplane.bus import Fence, Outgoing
from cryptomarket.backplane.memory import MemoryBus, MemoryCache
from cryptomarket.clock import Clock
from cryptomarket.history.repository import Heard, Repository
from cryptomarket.history.writer import Writer, read
from cryptomarket.market.instruments import Kind
from cryptomarket.market.position import Position
from cryptomarket.market.ticks import (
    FeedState,
    Gap,
    Greeks,
    OptionSummary,
    PerpetualSummary,
    Stats,
    Status,
    Summary,
    Tick,
)
from cryptomarket.market.wire import Publication, PublicationKind, encode, encode_tick

FENCE = Fence("slot", 1)
NOW_MS = 1_790_165_200_000


class StoppedClock:
    """A wall clock that stands where a test puts it; durations are real."""

    def __init__(self, now_ms: int = NOW_MS) -> None:
        self.now_ms = now_ms

    @property
    def clock(self) -> Clock:
        return Clock(time.monotonic, lambda: self.now_ms * 1000)


def index_tick(timestamp_ms: int, price: str = "85500.12", *, ticker: str = "btc_usd") -> Tick:
    return Tick(ticker, ticker, Kind.INDEX, Decimal(price), timestamp_ms, timestamp_ms * 1000 + 250)


def perpetual_tick(timestamp_ms: int) -> Tick:
    summary = PerpetualSummary(
        state="open",
        last_price=Decimal("8.55E+4"),
        mark_price=Decimal("85499.90"),
        best_bid_price=None,
        stats=Stats(high=Decimal(86000), price_change=Decimal("-0.0120")),
        current_funding=Decimal("0E-8"),
    )
    name = "BTC-PERPETUAL"
    return Tick(name, name, Kind.PERPETUAL, Decimal("8.55E+4"), timestamp_ms, timestamp_ms * 1000, None, summary)


def option_tick(timestamp_ms: int, summary: OptionSummary | None = None) -> Tick:
    name = "XRP_USDC-30JUN26-0d625-C"
    told = summary or OptionSummary(state="open", greeks=Greeks(delta=Decimal("0.00001")), underlying_index="SYN.XRP")
    return Tick(name, name, Kind.OPTION, None, timestamp_ms, timestamp_ms * 1000, None, told)


def spot_tick(timestamp_ms: int) -> Tick:
    name = "BTC_USDC"
    return Tick(name, name, Kind.SPOT, Decimal(1), timestamp_ms, timestamp_ms * 1000, None, Summary())


def outgoing(word: Tick | Status | Gap) -> Outgoing:
    match word:
        case Tick():
            return Outgoing(PublicationKind.TICK, word.ticker, encode_tick(word, published_us=word.received_us + 50))
        case Status():
            return Outgoing(PublicationKind.STATUS, word.ticker, encode(word))
        case Gap():
            return Outgoing(PublicationKind.GAP, word.ticker, encode(word))


def live(since_ms: int, *, ticker: str = "btc_usd") -> Status:
    return Status(ticker, FeedState.LIVE, since_ms)


def state(feed_state: FeedState, since_ms: int, *, ticker: str = "btc_usd") -> Status:
    return Status(ticker, feed_state, since_ms, 10, "because")


def new_bus(epoch: str = "e1") -> MemoryBus:
    return MemoryBus(epoch, is_newest=lambda _name, _token: True)


def heard(words: Sequence[Tick | Status | Gap], *, epoch: str = "e1", first_seq: int = 1) -> list[Heard]:
    """What a writer would have read, had these been published one after the other."""
    chain: dict[str, int] = {}
    told = []
    for seq, word in enumerate(words, first_seq):
        out = outgoing(word)
        publication = Publication(Position(epoch, seq), out.kind, out.ticker, chain.get(out.ticker), out.payload)
        chain[out.ticker] = seq
        said = read(publication)
        assert said is not None
        told.append(Heard(publication, said))
    return told


def new_cache() -> MemoryCache:
    return MemoryCache(time.monotonic)


async def publish(bus: MemoryBus, *words: Tick | Status | Gap) -> list[Publication]:
    return await bus.publish([outgoing(word) for word in words], FENCE)


@asynccontextmanager
async def writing(
    bus: MemoryBus,
    repository: Repository,
    clock: Clock,
    *,
    flush_rows: int = 1000,
    flush_ms: int = 50,
    random: Callable[[], float] = random.random,
) -> AsyncIterator[Writer]:
    """A writer that runs, and is stopped in order."""
    writer = Writer(
        bus, repository, consumer="here", clock=clock, flush_rows=flush_rows, flush_ms=flush_ms, random=random
    )
    running = asyncio.create_task(writer.run())
    try:
        yield writer
        await writer.stop()
        async with asyncio.timeout(10):
            await running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
