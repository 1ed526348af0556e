"""The pump from the exchange to the bus: what the pool hears becomes ticks, statuses and gaps, published in order."""

from collections.abc import Callable, Collection

import structlog

from cryptomarket.backoff import Backoff
from cryptomarket.backplane.bus import Bus
from cryptomarket.clock import Clock
from cryptomarket.deribit.mapping import Unmappable, instrument_state_of, platform_state_of, tick_of
from cryptomarket.deribit.pool import Denied, Garbled, Heard, Held, Lost, PoolEvent, Ready, Refused
from cryptomarket.ingest.gaps import Verdict, Watch
from cryptomarket.ingest.publisher import Fences, Publisher
from cryptomarket.ingest.recollection import Recollection
from cryptomarket.market.instruments import Kind
from cryptomarket.market.ticks import FeedState, GapCause

log = structlog.get_logger(__name__)

PLATFORM_CHANNELS = {"platform_state": "platform_state", "instrument.state": "instrument.state.any.any"}


class Feed:
    """Listens to the pool, and gives what is to be said of it to its publisher, in order of hearing. Never waits."""

    def __init__(
        self,
        bus: Bus,
        fences: Fences,
        *,
        clock: Clock,
        outbox_bound: int = 20_000,
        backoff: Backoff | None = None,
    ) -> None:
        self._publisher = Publisher(
            bus, fences, clock=clock, outbox_bound=outbox_bound, backoff=backoff, on_forgotten=self._forgotten
        )
        self._clock = clock
        self._channels: dict[str, tuple[Watch, int]] = {}
        self._held: dict[str, int] = {}
        self._held_count = 0
        self._in_maintenance = False
        self.counts = self._publisher.counts
        # What the feed says, when it is run, and what it is to know of an epoch is the publisher's affair.
        self.say = self._publisher.say
        self.run = self._publisher.run
        self.publish_outbox = self._publisher.publish_outbox
        self.enter = self._publisher.enter
        self.on_held: Callable[[], None] = lambda: None
        self.on_refused: Callable[[str], None] = lambda ticker: None
        self.on_instrument_state: Callable[[str, str], None] = lambda name, state: None
        self.on_platform_refused: Callable[[str], None] = lambda channel: None

    @property
    def recollection(self) -> Recollection:
        """Where the publisher looks when it has lost sight of the bus."""
        return self._publisher.recollection

    @recollection.setter
    def recollection(self, recollection: Recollection) -> None:
        self._publisher.recollection = recollection

    @property
    def watches(self) -> dict[str, Watch]:
        """The tickers that are listened to, by name."""
        return self._publisher.watches

    def listen_to(self, channels: dict[str, tuple[Watch, int]]) -> None:
        """From now on, what comes on these channels (name → watch and slot) is heard, and nothing else."""
        self._channels = channels
        self._publisher.listen_to({watch.ticker: (watch, slot) for watch, slot in channels.values()})
        self._held = {channel: since for channel, since in self._held.items() if channel in channels}
        if self._in_maintenance:
            for watch in self.watches.values():
                if not watch.in_maintenance:
                    self.say(watch, watch.maintenance(now_ms=self._clock.wall_ms()))

    def rest(self, watch: Watch, channel: str) -> None:
        """The channel is given up for a while, so that it is subscribed anew: what comes meanwhile is missed."""
        watch.rest()
        self._let_go([channel])

    def _let_go(self, channels: Collection[str]) -> None:
        for channel in channels:
            self._held.pop(channel, None)

    def held_since(self, channel: str) -> int | None:
        """The same number for as long as the exchange holds a channel without a break, None when it does not."""
        return self._held.get(channel)

    def hear(self, event: PoolEvent) -> None:
        """The pool's listener: called from the session's pump, so it waits for nothing."""
        match event:
            case Heard():
                self._heard(event)
            case Lost():
                self._lost(event)
            case Refused():
                self._refused(event)
            case Denied():
                self._denied(event)
            case Garbled():
                for channel in event.channels:
                    self._malformed(channel, event.reason)
            case Held():
                self._held_count += 1
                self._held |= dict.fromkeys(event.channels, self._held_count)
                self.on_held()
            case Ready():
                # The exchange lets in again: its maintenance is over, though nobody was there to be told.
                self._in_maintenance = False
                for watch in self.watches.values():
                    watch.in_maintenance = False
                self.on_held()

    def _heard(self, event: Heard) -> None:
        self.counts.heard += 1
        known = self._channels.get(event.channel)
        if known is None:
            self._heard_of_platform(event)
            return
        watch, _ = known
        try:
            tick = tick_of(event.channel, event.data, instrument=watch.instrument, received_us=event.received_us)
        except Unmappable as unmappable:
            self._malformed(event.channel, str(unmappable))
            return
        verdict, words = watch.heard(tick, now_s=self._clock.monotonic_s(), now_ms=event.received_us // 1000)
        if verdict is Verdict.REPEAT:
            self.counts.repeats += 1
        elif verdict is Verdict.ECHO:
            self.counts.echoes += 1
        self.say(watch, words)

    def _malformed(self, channel: str, reason: str) -> None:
        known = self._channels.get(channel)
        if known is not None:
            self.say(known[0], known[0].garbled(now_ms=self._clock.wall_ms()))
        self.counts.malformed += 1
        if self.counts.malformed & (self.counts.malformed - 1) == 0:  # powers of two: a sample, not a flood
            log.warning("malformed notification dropped", channel=channel, reason=reason, count=self.counts.malformed)

    def _heard_of_platform(self, event: Heard) -> None:
        try:
            if event.channel == PLATFORM_CHANNELS["platform_state"]:
                self._platform_state(event)
            elif event.channel.startswith("instrument.state."):
                state = instrument_state_of(event.data)
                self.on_instrument_state(state.instrument_name, state.state)
                watch = self.watches.get(state.instrument_name)
                if watch is not None:
                    self.say(watch, watch.told_state(state.state, now_ms=self._clock.wall_ms()))
        except Unmappable as unmappable:
            self._malformed(event.channel, str(unmappable))

    def _platform_state(self, event: Heard) -> None:
        state = platform_state_of(event.data)
        if state.maintenance is not None:
            self._maintenance(state.maintenance)
        elif state.price_index is not None:
            watch = self.watches.get(state.price_index)
            if watch is not None:
                self.say(watch, watch.locked(bool(state.locked), now_ms=self._clock.wall_ms()))

    def _maintenance(self, begins: bool) -> None:
        self._in_maintenance = begins
        now_ms = self._clock.wall_ms()
        for watch in self.watches.values():
            words = watch.maintenance(now_ms=now_ms) if begins else watch.maintained(now_ms=now_ms)
            self.say(watch, words)

    def _lost(self, event: Lost) -> None:
        self._let_go(event.channels)
        for channel in event.channels:
            known = self._channels.get(channel)
            if known is not None:
                self.say(known[0], known[0].broken(FeedState.DOWN, GapCause.DISCONNECT, now_ms=self._clock.wall_ms()))

    def _refused(self, event: Refused) -> None:
        for channel in event.channels:
            known = self._channels.get(channel)
            if known is not None:
                self.say(known[0], known[0].refused(now_ms=self._clock.wall_ms()))
                self.on_refused(known[0].ticker)
            elif channel in PLATFORM_CHANNELS.values():
                self.on_platform_refused(channel)

    def _denied(self, event: Denied) -> None:
        for channel in event.channels:
            known = self._channels.get(channel)
            if known is not None:
                self.say(known[0], known[0].denied(now_ms=self._clock.wall_ms()))

    def check_silence(self) -> list[Watch]:
        """Marks silent indices stale, and returns the silent instruments, which want to be asked for: also those that
        are not live though their channels are held again.
        """
        now_s = self._clock.monotonic_s()
        to_ask = []
        for channel, (watch, _) in self._channels.items():
            is_index = watch.instrument.kind is Kind.INDEX
            if watch.is_silent(now_s) or (not is_index and channel in self._held and watch.wants_proof(now_s)):
                if is_index:
                    self.say(watch, watch.silent(now_ms=self._clock.wall_ms()))
                else:
                    to_ask.append(watch)
        return to_ask

    def _forgotten(self, tickers: Collection[str]) -> None:
        self._channels = {name: known for name, known in self._channels.items() if known[0].ticker not in tickers}
