"""Wanted against held: keeps the pool's channels at what is demanded, once a second and on notice."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from cryptomarket.backplane.bus import Bus, Picture
from cryptomarket.backplane.demand import Demand
from cryptomarket.clock import Clock
from cryptomarket.deribit.mapping import Unmappable, channel_of, tick_of
from cryptomarket.errors import DatabaseUnavailable, ExchangeError, ExchangeUnavailable, UnknownTicker
from cryptomarket.ingest.feed import PLATFORM_CHANNELS, Feed
from cryptomarket.ingest.gaps import Patience, Watch
from cryptomarket.ingest.subscriptions import Linger, spread
from cryptomarket.market.instruments import Directory, Instrument, Kind
from cryptomarket.market.ticks import FeedState, GapCause, Status, Tick
from cryptomarket.market.wire import decode_status, decode_tick, encode_tick

log = structlog.get_logger(__name__)


class Memory(Protocol):
    """What was kept of a ticker before this epoch."""

    async def last_tick(self, ticker: str) -> Tick | None:
        """The last stored tick of the stream."""
        ...

    async def last_status(self, ticker: str) -> Status | None:
        """The last stored status."""
        ...


class Channels(Protocol):
    """The pool, as far as this room needs it."""

    @property
    def interval(self) -> str:
        """`raw` or `100ms`."""
        ...

    def hold(self, slot: int, channels: Collection[str]) -> None:
        """From now on the slot should hold exactly these channels."""
        ...

    async def request(self, method: str, params: dict[str, object], *, timeout_s: float) -> bytes:
        """Asks the exchange; the raw result."""
        ...


@dataclass(frozen=True, slots=True)
class Periods:
    """How often and how long, in seconds. `refused_s`: how long a channel that the exchange refused is left alone."""

    check_s: float = 1.0
    linger_s: float = 30.0
    refused_s: float = 60.0
    renew_s: float = 10.0
    ask_timeout_s: float = 10.0
    patience: Patience = field(default_factory=Patience)


class Holding:
    """Closes the difference between what is wanted and what is held. Restarts and missed notices heal alone."""

    def __init__(
        self,
        demand: Demand,
        bus: Bus,
        directory: Directory,
        memory: Memory,
        feed: Feed,
        pool: Channels,
        *,
        slots: Callable[[], Collection[int]],
        always: Collection[str],
        periods: Periods,
        clock: Clock,
    ) -> None:
        self._demand = demand
        self._bus = bus
        self._directory = directory
        self._memory = memory
        self._feed = feed
        self._pool = pool
        self._slots = slots
        self._always = frozenset(always)
        self._periods = periods
        self._clock = clock
        self._linger = Linger(periods.linger_s)
        self._refused_until_s: dict[str, float] = {}
        self._resting: set[str] = set()
        self._renew_at_s: dict[str, float] = {}
        self.wanted: frozenset[str] = frozenset()
        self.held: frozenset[str] = frozenset()
        feed.on_refused = self._refused

    async def run(self) -> None:
        """Follows demand for as long as it runs."""
        while True:
            await self.settle()
            await self._demand.changed(wait_s=self._periods.check_s)

    async def run_silence(self) -> None:
        """Looks for silent feeds, four times within the shortest patience."""
        pause_s = min(self._periods.patience.index_s, self._periods.patience.instrument_s) / 4
        while True:
            await asyncio.sleep(pause_s)
            for watch in self._feed.check_silence():
                await self._ask(watch)
            self._renew_stale()

    def _refused(self, ticker: str) -> None:
        log.warning("the exchange refused a channel", ticker=ticker)
        self._refused_until_s[ticker] = self._clock.monotonic_s() + self._periods.refused_s
        self._directory.forget(ticker)

    async def settle(self) -> None:
        """One round: watch what is newly wanted, leave what nobody wants any more, tell the pool."""
        now_s = self._clock.monotonic_s()
        self._refused_until_s = {t: until for t, until in self._refused_until_s.items() if until > now_s}
        self.wanted = self._always | await self._demand.wanted()
        held = self._linger.held(self.wanted, now_s) - self._refused_until_s.keys()
        watches = {}
        for ticker in sorted(held):
            watch = self._feed.watches.get(ticker) or await self._new_watch(ticker)
            if watch is not None:
                watches[ticker] = watch
        for ticker, watch in self._feed.watches.items():
            if ticker not in watches and ticker not in self._refused_until_s:
                words = watch.broken(FeedState.UNKNOWN, GapCause.NOT_SUBSCRIBED, now_ms=self._clock.wall_ms())
                self._feed.say(self._feed.slot_of(watch), words)
        self._apply(watches)

    def _apply(self, watches: dict[str, Watch]) -> None:
        slots = self._slots()
        if not slots:
            return
        channels = {ticker: channel_of(watch.instrument, self._pool.interval) for ticker, watch in watches.items()}
        spread_out = spread([*channels.items(), *PLATFORM_CHANNELS.items()], slots)
        slot_of_channel = {channel: slot for slot, of_slot in spread_out.items() for channel in of_slot}
        self._feed.listen_to(
            {channel: (watches[ticker], slot_of_channel[channel]) for ticker, channel in channels.items()}
        )
        resting = {channels[ticker] for ticker in self._resting if ticker in channels}
        self._resting.clear()
        for slot, of_slot in spread_out.items():
            self._pool.hold(slot, of_slot - resting)
        self.held = frozenset(watches)

    async def _new_watch(self, ticker: str) -> Watch | None:
        try:
            instrument = await self._directory.resolve(ticker)
        except UnknownTicker:
            log.warning("wanted ticker is unknown to the exchange", ticker=ticker)
            self._refused_until_s[ticker] = self._clock.monotonic_s() + self._periods.refused_s
            return None
        except ExchangeUnavailable:
            return None
        try:
            return await self._watch_of(instrument)
        except DatabaseUnavailable as away:
            # Without what was stored, the gap since then could not be told: the next round tries again.
            log.warning("a ticker waits for the database", ticker=ticker, reason=away.detail)
            return None

    async def _watch_of(self, instrument: Instrument) -> Watch:
        now_ms = self._clock.wall_ms()
        watch = Watch(instrument, self._periods.patience, now_s=self._clock.monotonic_s(), now_ms=now_ms)
        _, pictures = await self._bus.pictures([instrument.name])
        picture = pictures.get(instrument.name)
        if picture is not None and picture.tick is not None:
            watch.remember(decode_tick(picture.tick.payload), _cause_of_return(picture))
        else:
            await self._remember_stored(watch, instrument)
        return watch

    async def _remember_stored(self, watch: Watch, instrument: Instrument) -> None:
        last = await self._memory.last_tick(instrument.name)
        if last is None:
            return
        status = await self._memory.last_status(instrument.name)
        given_up = status is not None and status.reason == GapCause.NOT_SUBSCRIBED
        watch.remember(last, GapCause.NOT_SUBSCRIBED if given_up else GapCause.RESTART)
        await self._bus.remember(instrument.name, encode_tick(last, published_us=last.published_us or last.received_us))

    async def _ask(self, watch: Watch) -> None:
        """A silent instrument: asks for its ticker, and subscribes anew when the channel has missed something."""
        try:
            result = await self._pool.request(
                "public/ticker", {"instrument_name": watch.ticker}, timeout_s=self._periods.ask_timeout_s
            )
            channel = channel_of(watch.instrument, self._pool.interval)
            answer = tick_of(channel, result, instrument=watch.instrument, received_us=self._clock.wall_us())
        except (ExchangeUnavailable, ExchangeError, Unmappable) as failure:
            log.info("a silent instrument could not be asked for", ticker=watch.ticker, reason=str(failure))
            return
        words = watch.asked(answer, now_s=self._clock.monotonic_s(), now_ms=self._clock.wall_ms())
        if words:
            self._feed.say(self._feed.slot_of(watch), words)

    def _renew_stale(self) -> None:
        """A feed that fell silent on a living session rests for one round, and so is subscribed anew."""
        now_s = self._clock.monotonic_s()
        for watch in self._feed.watches.values():
            if watch.state is FeedState.STALE and watch.cause is GapCause.SILENCE:
                pause_s = self._periods.renew_s if watch.instrument.kind is Kind.INDEX else 0.0
                if now_s >= self._renew_at_s.get(watch.ticker, 0.0):
                    self._renew_at_s[watch.ticker] = now_s + max(pause_s, self._periods.renew_s)
                    self._resting.add(watch.ticker)
        self._renew_at_s = {t: at for t, at in self._renew_at_s.items() if t in self._feed.watches}


def _cause_of_return(picture: Picture) -> GapCause:
    if picture.status is not None:
        status = decode_status(picture.status.payload)
        if status.reason == GapCause.NOT_SUBSCRIBED:
            return GapCause.NOT_SUBSCRIBED
    return GapCause.DISCONNECT
