"""The pump from the exchange to the bus: what the pool hears becomes ticks, statuses and gaps, published in order."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

import structlog

from cryptomarket.backplane.bus import Bus, Fence, Outgoing
from cryptomarket.clock import Clock
from cryptomarket.deribit.mapping import Unmappable, instrument_state_of, platform_state_of, tick_of
from cryptomarket.deribit.pool import Denied, Heard, Held, Lost, PoolEvent, Ready, Refused
from cryptomarket.errors import Fenced
from cryptomarket.ingest.gaps import Verdict, Watch, Word
from cryptomarket.ingest.outbox import Outbox
from cryptomarket.market.instruments import Kind
from cryptomarket.market.ticks import FeedState, Gap, GapCause, Status, Tick
from cryptomarket.market.wire import PublicationKind, encode, encode_tick

log = structlog.get_logger(__name__)

PLATFORM_CHANNELS = {"platform_state": "platform_state", "instrument.state": "instrument.state.any.any"}


class Fences(Protocol):
    """Who may publish for a slot: the lease under which this process holds it, None when it does not."""

    def fence_of(self, slot: int) -> Fence | None:
        """The fence of a slot."""
        ...


@dataclass
class Counts:
    """What the feed has seen since it started. `malformed` frames are dropped and the session lives on."""

    heard: int = 0
    published: int = 0
    repeats: int = 0
    echoes: int = 0
    malformed: int = 0
    unowned: int = 0


class Feed:
    """Listens to the pool and publishes. One outbox in order of hearing; it leaves once per turn of the loop.

    Bound: the outbox holds what was heard since the publisher's last turn, at most `outbox_bound` words; beyond that a
    ticker's waiting tick is given up for its newer one and the loss is told as a gap with the cause `bus`. Ticks of a
    slot that is no longer ours are dropped, and their tickers forgotten.
    """

    def __init__(
        self,
        bus: Bus,
        fences: Fences,
        *,
        clock: Clock,
        outbox_bound: int = 20_000,
    ) -> None:
        self._bus = bus
        self._fences = fences
        self._clock = clock
        self._outbox = Outbox(outbox_bound)
        self._filled = asyncio.Event()
        self._watches: dict[str, Watch] = {}
        self._slots: dict[str, int] = {}
        self._channels: dict[str, tuple[Watch, int]] = {}
        self._held: dict[str, int] = {}
        self._held_count = 0
        self._in_maintenance = False
        self.counts = Counts()
        self.on_held: Callable[[], None] = lambda: None
        self.on_refused: Callable[[str], None] = lambda ticker: None
        self.on_platform_refused: Callable[[str], None] = lambda channel: None

    @property
    def watches(self) -> dict[str, Watch]:
        """The tickers that are listened to, by name."""
        return self._watches

    def listen_to(self, channels: dict[str, tuple[Watch, int]]) -> None:
        """From now on, what comes on these channels (name → watch and slot) is heard, and nothing else."""
        self._channels = channels
        self._watches = {watch.ticker: watch for watch, _ in channels.values()}
        self._slots = {watch.ticker: slot for watch, slot in channels.values()}
        self._outbox.keep(self._watches)
        self._held = {channel: since for channel, since in self._held.items() if channel in channels}
        if self._in_maintenance:
            for watch in self._watches.values():
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

    def say(self, watch: Watch, words: Sequence[Word]) -> None:
        """Puts what is to be said of a ticker that is listened to into the one order of hearing."""
        slot = self._slots.get(watch.ticker)
        if words and slot is not None:
            self._outbox.put(slot, words)
            self._filled.set()

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
            case Held():
                self._held_count += 1
                self._held |= dict.fromkeys(event.channels, self._held_count)
                self.on_held()
            case Ready():
                # The exchange lets in again: its maintenance is over, though nobody was there to be told.
                self._in_maintenance = False
                for watch in self._watches.values():
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
        self.counts.malformed += 1
        if self.counts.malformed & (self.counts.malformed - 1) == 0:  # powers of two: a sample, not a flood
            log.warning("malformed notification dropped", channel=channel, reason=reason, count=self.counts.malformed)

    def _heard_of_platform(self, event: Heard) -> None:
        try:
            if event.channel == PLATFORM_CHANNELS["platform_state"]:
                self._platform_state(event)
            elif event.channel.startswith("instrument.state."):
                state = instrument_state_of(event.data)
                watch = self._watches.get(state.instrument_name)
                if watch is not None:
                    self.say(watch, watch.told_state(state.state, now_ms=self._clock.wall_ms()))
        except Unmappable as unmappable:
            self._malformed(event.channel, str(unmappable))

    def _platform_state(self, event: Heard) -> None:
        state = platform_state_of(event.data)
        if state.maintenance is not None:
            self._maintenance(state.maintenance)
        elif state.price_index is not None:
            watch = self._watches.get(state.price_index)
            if watch is not None:
                self.say(watch, watch.locked(bool(state.locked), now_ms=self._clock.wall_ms()))

    def _maintenance(self, begins: bool) -> None:
        self._in_maintenance = begins
        now_ms = self._clock.wall_ms()
        for watch in self._watches.values():
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

    async def run(self) -> None:
        """Publishes what was heard, for as long as it runs."""
        while True:
            await self._filled.wait()
            await self.publish_outbox()

    async def publish_outbox(self) -> None:
        """Publishes everything that waits."""
        self._filled.clear()
        published_us = self._clock.wall_us()
        unowned: set[str] = set()
        for slot, of_slot in groupby(self._outbox.drain(), key=lambda entry: entry[0]):
            words = [word for _, word in of_slot]
            batch = [_outgoing(word, published_us) for word in words if word.ticker not in unowned]
            self.counts.unowned += len(words) - len(batch)
            fence = self._fences.fence_of(slot)
            try:
                if fence is None:
                    raise Fenced(f"slot {slot}", 0)
                self.counts.published += len(await self._bus.publish(batch, fence))
            except Fenced:
                self.counts.unowned += len(batch)
                unowned |= {word.ticker for word in words}
                self._forget(unowned)

    def _forget(self, tickers: Collection[str]) -> None:
        """The slot is another's: what we heard was not published, so what we know of these is not what was told. They
        are listened to anew from what the bus knows, by whoever owns the slot.
        """
        self._channels = {name: known for name, known in self._channels.items() if known[0].ticker not in tickers}
        self._watches = {ticker: watch for ticker, watch in self._watches.items() if ticker not in tickers}
        self._slots = {ticker: slot for ticker, slot in self._slots.items() if ticker not in tickers}
        self._outbox.forget(tickers)


def _outgoing(word: Word, published_us: int) -> Outgoing:
    match word:
        case Tick():
            return Outgoing(PublicationKind.TICK, word.ticker, encode_tick(word, published_us=published_us))
        case Status():
            return Outgoing(PublicationKind.STATUS, word.ticker, encode(word))
        case Gap():
            return Outgoing(PublicationKind.GAP, word.ticker, encode(word))
