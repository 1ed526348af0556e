"""Wanted against held: keeps the pool's channels at what is demanded, once a second and on notice."""

import asyncio
import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from cryptomarket.backoff import Backoff
from cryptomarket.backplane.bus import Bus
from cryptomarket.backplane.demand import Demand
from cryptomarket.clock import Clock
from cryptomarket.deribit.mapping import Unmappable, channel_of, tick_of
from cryptomarket.errors import BusUnavailable, ExchangeError, ExchangeUnavailable, UnknownTicker
from cryptomarket.ingest.feed import PLATFORM_CHANNELS, Feed
from cryptomarket.ingest.gaps import Patience, Watch
from cryptomarket.ingest.recollection import Memory, Recollection
from cryptomarket.ingest.subscriptions import Linger, slot_of, spread
from cryptomarket.market.instruments import Directory, Instrument
from cryptomarket.market.ticks import FeedState, GapCause, Status

log = structlog.get_logger(__name__)

# A look for silence that comes so much too late says that this process stood still.
_LATE_S = 1.0
# So many new tickers are made ready at once.
_NEW_AT_ONCE = 16


class Channels(Protocol):
    """The pool, as far as this room needs it."""

    @property
    def data_slots(self) -> Collection[int]:
        """All slots that carry channels, whoever owns them."""
        ...

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
        self._recollection = feed.recollection = Recollection(bus, memory)
        self._directory = directory
        self._feed = feed
        self._pool = pool
        self._slots = slots
        self._always = frozenset(always)
        self._periods = periods
        self._clock = clock
        self._backoff = Backoff(base_s=0.1, cap_s=2.0, random=random.random)
        self._linger = Linger(periods.linger_s)
        self._refused_until_s: dict[str, float] = {}
        self._refused_platform_until_s: dict[str, float] = {}
        self._resting: set[str] = set()
        self._stood_still = False
        self._renew_at_s: dict[str, float] = {}
        self.wanted: frozenset[str] = frozenset()
        self.watched: frozenset[str] = frozenset()
        feed.on_refused = self._refused
        feed.on_platform_refused = self._platform_refused

    async def run(self) -> None:
        """Follows demand for as long as it runs. While the bus is away, what is held stays held."""
        while True:
            try:
                await self.settle()
                await self._demand.changed(wait_s=self._periods.check_s)
                self._backoff.reset()
            except BusUnavailable as away:
                log.warning("what is wanted can't be found out", reason=away.detail)
                await asyncio.sleep(self._backoff.next_s())

    async def run_silence(self) -> None:
        """Looks for silent feeds, four times within the shortest patience."""
        pause_s = min(self._periods.patience.index_s, self._periods.patience.instrument_s) / 4
        asking: asyncio.Task[None] | None = None
        async with asyncio.TaskGroup() as group:
            while True:
                slept_at_s = self._clock.monotonic_s()
                await asyncio.sleep(pause_s)
                silent = self.look(late_s=self._clock.monotonic_s() - slept_at_s - pause_s)
                # Answers may be long in coming, and no index waits for them. Bound: one round of questions.
                if silent and (asking is None or asking.done()):
                    asking = group.create_task(self.ask_all(silent))

    def look(self, *, late_s: float) -> list[Watch]:
        """One look for silent feeds, `late_s` seconds after its time; returns the instruments to ask for."""
        # Who stood still himself may have unread words in his sockets, and leaves them one round to be read.
        stood_still = late_s > _LATE_S and not self._stood_still
        self._stood_still = stood_still
        if stood_still:
            return []
        silent = self._feed.check_silence()
        self._renew_stale()
        return silent

    def _refused(self, ticker: str) -> None:
        log.warning("the exchange refused a channel", ticker=ticker)
        self._refused_until_s[ticker] = self._clock.monotonic_s() + self._periods.refused_s
        self._directory.forget(ticker)

    def _platform_refused(self, channel: str) -> None:
        log.warning("the exchange refused a channel of its own", channel=channel)
        self._refused_platform_until_s[channel] = self._clock.monotonic_s() + self._periods.refused_s

    def held(self) -> list[str]:
        """The tickers that are watched and whose channels the exchange has granted, and not taken since."""
        channels = {
            ticker: channel_of(watch.instrument, self._pool.interval) for ticker, watch in self._feed.watches.items()
        }
        return sorted(ticker for ticker, channel in channels.items() if self._feed.held_since(channel) is not None)

    def unheard(self) -> list[str]:
        """The always-collected tickers that this process should hear and does not, by name."""
        owned = self._slots()
        names = {self._name_of(ticker) for ticker in self._always}
        return sorted(
            name for name in names if slot_of(name, self._pool.data_slots) in owned and not self._is_heard(name)
        )

    def _is_heard(self, name: str) -> bool:
        watch = self._feed.watches.get(name)
        # What is halted or at its end is silent because the exchange says so.
        return watch is not None and watch.state in (FeedState.LIVE, FeedState.HALTED, FeedState.EXPIRED)

    async def settle(self) -> None:
        """One round: watch what is newly wanted, leave what nobody wants any more, tell the pool."""
        now_s = self._clock.monotonic_s()
        self._refused_until_s = {t: until for t, until in self._refused_until_s.items() if until > now_s}
        platform = self._refused_platform_until_s
        self._refused_platform_until_s = {channel: until for channel, until in platform.items() if until > now_s}
        self.wanted = self._always | await self._demand.wanted()
        held = {self._name_of(ticker) for ticker in self._linger.held(self.wanted, now_s)}
        held -= self._refused_until_s.keys()
        # Which slot carries a ticker is the same for every process; each listens to what its own slots carry.
        mine = [ticker for ticker in sorted(held) if slot_of(ticker, self._pool.data_slots) in self._slots()]
        new = await self._new_watches([ticker for ticker in mine if ticker not in self._feed.watches])
        # From here to the end nothing is awaited: what is heard and what is listened to are of one moment.
        now_ms = self._clock.wall_ms()
        for ticker, watch in self._feed.watches.items():
            if ticker not in held and ticker not in self._refused_until_s:
                self._feed.say(watch, watch.broken(FeedState.UNKNOWN, GapCause.NOT_SUBSCRIBED, now_ms=now_ms))
        begun = [began for began in new if began is not None]
        for watch, _ in begun:
            # A channel that is held already would not say its word again, and an instrument speaks only on change.
            if self._feed.held_since(channel_of(watch.instrument, self._pool.interval)) is not None:
                self._resting.add(watch.ticker)
        watches = {ticker: self._feed.watches[ticker] for ticker in mine if ticker in self._feed.watches}
        self._apply(watches | {watch.ticker: watch for watch, _ in begun})
        for watch, told in begun:
            if told is not None:
                self._feed.say(watch, watch.take_over(told, now_ms=now_ms))

    def _name_of(self, wanted: str) -> str:
        known = self._directory.known(wanted)
        return known.name if known is not None else wanted

    def _apply(self, watches: dict[str, Watch]) -> None:
        owned = self._slots()
        channels = {ticker: channel_of(watch.instrument, self._pool.interval) for ticker, watch in watches.items()}
        spread_out = spread(channels.items(), self._pool.data_slots)
        slot_of_channel = {channel: slot for slot in owned for channel in spread_out[slot]}
        self._feed.listen_to(
            {
                channel: (watches[ticker], slot_of_channel[channel])
                for ticker, channel in channels.items()
                if channel in slot_of_channel
            }
        )
        resting = {channels[ticker] for ticker in self._resting if ticker in channels}
        for ticker in self._resting & channels.keys():
            self._feed.rest(watches[ticker], channels[ticker])
        self._resting.clear()
        without = resting | self._refused_platform_until_s.keys()
        # What the exchange says of itself, every process needs to hear.
        of_platform = spread(PLATFORM_CHANNELS.items(), owned) if owned else {}
        for slot in owned:
            self._pool.hold(slot, (spread_out[slot] | of_platform[slot]) - without)
        self.watched = frozenset(self._feed.watches)

    async def _new_watches(self, tickers: Sequence[str]) -> list[tuple[Watch, Status | None] | None]:
        turns = asyncio.Semaphore(_NEW_AT_ONCE)

        async def in_turn(ticker: str) -> tuple[Watch, Status | None] | None:
            async with turns:
                return await self._new_watch(ticker)

        made = await asyncio.gather(*(in_turn(ticker) for ticker in tickers), return_exceptions=True)
        watches = []
        for watch in made:
            if isinstance(watch, BaseException):
                raise watch
            watches.append(watch)
        return watches

    async def _new_watch(self, ticker: str) -> tuple[Watch, Status | None] | None:
        """A watch, and what was last told of the ticker in this epoch."""
        try:
            instrument = await self._directory.resolve(ticker)
        except UnknownTicker:
            log.warning("wanted ticker is unknown to the exchange", ticker=ticker)
            self._refused_until_s[ticker] = self._clock.monotonic_s() + self._periods.refused_s
            return None
        except ExchangeUnavailable:
            return None
        return await self._watch_of(instrument)

    async def _watch_of(self, instrument: Instrument) -> tuple[Watch, Status | None] | None:
        recalled = await self._recollection.of([instrument.name])
        known = recalled.known.get(instrument.name)
        if known is None:
            return None
        self._feed.enter(recalled.epoch)
        watch = Watch(instrument, self._periods.patience, now_s=self._clock.monotonic_s(), now_ms=self._clock.wall_ms())
        watch.remember(known)
        return watch, known.told

    async def ask_all(self, watches: Sequence[Watch]) -> None:
        """Asks for the tickers of silent instruments, one after the other."""
        for watch in watches:
            if self._feed.watches.get(watch.ticker) is watch:
                await self._ask(watch)

    async def _ask(self, watch: Watch) -> None:
        """A silent instrument: asks for its ticker, and subscribes anew when the channel has missed something.

        The answer proves something only of a channel that was held from the question on: what changes after the answer
        is heard there.
        """
        channel = channel_of(watch.instrument, self._pool.interval)
        held_since = self._feed.held_since(channel)
        try:
            result = await self._pool.request(
                "public/ticker", {"instrument_name": watch.ticker}, timeout_s=self._periods.ask_timeout_s
            )
            answer = tick_of(channel, result, instrument=watch.instrument, received_us=self._clock.wall_us())
        except (ExchangeUnavailable, ExchangeError, Unmappable) as failure:
            log.info("a silent instrument could not be asked for", ticker=watch.ticker, reason=str(failure))
            return
        is_held = held_since is not None or watch.state is FeedState.LIVE
        if self._feed.watches.get(watch.ticker) is watch and is_held and self._feed.held_since(channel) == held_since:
            self._feed.say(watch, watch.asked(answer, now_s=self._clock.monotonic_s(), now_ms=self._clock.wall_ms()))

    def _renew_stale(self) -> None:
        """A feed that has gone stale on a living session rests for one round, and so is subscribed anew."""
        now_s = self._clock.monotonic_s()
        for watch in self._feed.watches.values():
            if watch.state is FeedState.STALE and now_s >= self._renew_at_s.get(watch.ticker, now_s):
                self._renew_at_s[watch.ticker] = now_s + self._periods.renew_s
                self._resting.add(watch.ticker)
        self._renew_at_s = {t: at for t, at in self._renew_at_s.items() if t in self._feed.watches}
