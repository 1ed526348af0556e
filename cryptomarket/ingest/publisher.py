"""What is heard goes to the bus in one order, and waits for a bus that is away."""

import asyncio
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Protocol

import structlog

from cryptomarket.backoff import Backoff
from cryptomarket.backplane.bus import Bus, Fence, Outgoing
from cryptomarket.clock import Clock
from cryptomarket.errors import BusUnavailable, Fenced
from cryptomarket.ingest.gaps import Watch, Word
from cryptomarket.ingest.outbox import Outbox
from cryptomarket.ingest.pipeline import pipelined
from cryptomarket.ingest.recollection import Recollection
from cryptomarket.market.ticks import FeedState, Gap, Status, Tick
from cryptomarket.market.wire import PublicationKind, encode, encode_tick

log = structlog.get_logger(__name__)

BATCH_WORDS = 500


class Fences(Protocol):
    """Who may publish for a slot: the lease under which this process holds it, None when it does not."""

    def fence_of(self, slot: int) -> Fence | None:
        """The fence of a slot."""
        ...


@dataclass
class Counts:
    """What the feed has seen since it started. `malformed` frames are dropped and the session lives on; `unsaid` are
    words that were not said because the bus was away, of which the newest were made up for.
    """

    heard: int = 0
    published: int = 0
    repeats: int = 0
    echoes: int = 0
    malformed: int = 0
    unowned: int = 0
    unsaid: int = 0


class Publisher:
    """Says what is to be said of the tickers that are listened to. One outbox; it leaves once per turn of the loop.

    Bound: the outbox holds what was heard since the last turn, at most `outbox_bound` words; beyond that a ticker's
    waiting tick is given up for its newer one and the loss is told as a gap with the cause `bus`. Words of a slot that
    is no longer ours are dropped, and their tickers forgotten, as `on_forgotten` is told.

    While the bus is away nothing waits: each ticker's `Watch` keeps the newest tick and the state. When the bus is back
    it is asked what it knows, and is told the difference (`Watch.make_up`), also when its epoch is another one.
    """

    def __init__(
        self,
        bus: Bus,
        fences: Fences,
        *,
        clock: Clock,
        outbox_bound: int,
        backoff: Backoff | None,
        on_forgotten: Callable[[Collection[str]], None],
    ) -> None:
        self._bus = bus
        self._fences = fences
        self._clock = clock
        self._outbox = Outbox(outbox_bound)
        self._on_forgotten = on_forgotten
        self._filled = asyncio.Event()
        self._backoff = backoff or Backoff(base_s=0.1, cap_s=1.0, random=random.random)
        self._slots: dict[str, int] = {}
        self._owed: set[str] = set()
        self._epoch: str | None = None
        self.watches: dict[str, Watch] = {}
        self.recollection = Recollection(bus)
        self.counts = Counts()

    def listen_to(self, watches: Mapping[str, tuple[Watch, int]]) -> None:
        """From now on these are listened to, each on its slot, and nothing else. What waits of others still leaves."""
        others = {ticker for ticker in self._owed if watches.get(ticker, (None,))[0] is not self.watches[ticker]}
        self._leave_owed(others)
        self._note_first(self.watches)
        self.watches = {ticker: watch for ticker, (watch, _) in watches.items()}
        self._slots = {ticker: slot for ticker, (_, slot) in watches.items()}
        self._outbox.keep(self.watches)

    def _note_first(self, tickers: Collection[str]) -> None:
        for ticker in tickers:
            if ticker in self.watches:
                self.recollection.note(ticker, self.watches[ticker].first_ms)

    def _leave_owed(self, tickers: Collection[str]) -> None:
        """These are given up while they were owed: what the bus is told of them is their state alone."""
        for ticker in tickers:
            last_word = self.watches[ticker].now(now_ms=self._clock.wall_ms())
            if last_word.state is not FeedState.UNKNOWN or last_word.reason is not None:
                self._outbox.put(self._slots[ticker], [last_word])
        self._owed.difference_update(tickers)

    def enter(self, epoch: str) -> None:
        """What is listened to from now on follows from what is known in this epoch. In a new one, everything else has
        to be made up for.
        """
        if self._epoch not in (None, epoch):
            log.warning("the bus has begun a new epoch", epoch=epoch)
            self._owe([])
            self._filled.set()
        self._epoch = epoch

    def say(self, watch: Watch, words: Sequence[Word]) -> None:
        """Puts what is to be said of a ticker that is listened to into the one order of hearing."""
        slot = self._slots.get(watch.ticker)
        if not words or slot is None:
            return
        if watch.ticker in self._owed:
            self.counts.unsaid += len(words)
        else:
            before_ms = watch.before.timestamp_ms if watch.before is not None else None
            self._outbox.put(slot, words, before_ms=before_ms)
        self._filled.set()

    async def run(self) -> None:
        """Publishes what was heard, for as long as it runs. A bus that is away is waited for."""
        while True:
            await self._filled.wait()
            if await self.publish_outbox():
                self._backoff.reset()
            else:
                await asyncio.sleep(self._backoff.next_s())
                self._filled.set()

    async def publish_outbox(self) -> bool:
        """Publishes everything that waits, or is owed. Whether the bus knows everything now."""
        self._filled.clear()
        waiting: list[tuple[int, Word]] = []
        try:
            if self._owed:
                await self._make_up()
            waiting = self._outbox.drain()
            await self._publish(waiting)
        except BusUnavailable as away:
            if not self._owed:
                log.warning("the bus is away; each ticker's newest is kept for it", reason=away.detail)
            self._owe(waiting)
            return False
        return not self._owed

    async def _make_up(self) -> None:
        """Asks what the bus knows of what is owed to it, and says the difference."""
        owed = {ticker: self.watches[ticker] for ticker in self._owed if self._fence_of(ticker) is not None}
        self._note_first(owed)
        recalled = await self.recollection.of(owed)
        self.enter(recalled.epoch)
        for ticker, known in recalled.known.items():
            if self.watches.get(ticker) is owed[ticker] and ticker in self._owed:
                self._owed.discard(ticker)
                self.say(owed[ticker], owed[ticker].make_up(known, now_ms=self._clock.wall_ms()))

    def _fence_of(self, ticker: str) -> Fence | None:
        return self._fences.fence_of(self._slots[ticker])

    def _owe(self, undelivered: Sequence[tuple[int, Word]]) -> None:
        """It is not known what the bus knows: everything that is listened to is owed. Of what is not, the last state
        goes on waiting. Bound: one word for each ticker that was given up meanwhile.
        """
        left = [entry for entry in undelivered if entry[1].ticker not in self.watches]
        last_words = {word.ticker: (slot, word) for slot, word in left if isinstance(word, Status)}
        newer = {word.ticker: (slot, word) for slot, word in self._outbox.drain() if isinstance(word, Status)}
        self._owed = set(self.watches)
        for slot, word in (last_words | newer).values():
            if word.ticker not in self.watches:
                self._outbox.put(slot, [word])
        self._outbox.forget(self._owed)

    async def _publish(self, waiting: list[tuple[int, Word]]) -> None:
        """Publishes slot by slot, as many batches under way as the bus has use for, and takes each out of `waiting`
        once that is done.

        A ticker's words stay in order, since it has one slot; between two slots, which are two sockets, there is none.
        """
        published_us = self._clock.wall_us()
        unowned: set[str] = set()
        waiting.sort(key=_slot_of)
        batches = [(slot, batch) for slot, group in groupby(waiting, key=_slot_of) for batch in _batches(list(group))]
        calls = (
            (batch, self._published(slot, [word for _, word in batch if word.ticker not in unowned], published_us))
            for slot, batch in batches
        )
        # Where a ticker has just moved, what comes of it after words that are refused must not be said.
        window = 1 if _has_moved(waiting) else self._bus.window
        async with aclosing(pipelined(calls, window)) as under_way:
            async for batch, published in under_way:
                try:
                    said = await published
                    self.counts.published += said
                    self.counts.unowned += len(batch) - said
                except Fenced:
                    self.counts.unowned += len(batch)
                    unowned |= {word.ticker for _, word in batch}
                    self._forget(unowned)
                del waiting[: len(batch)]

    async def _published(self, slot: int, words: Sequence[Word], published_us: int) -> int:
        """How many were published. Raises Fenced, BusUnavailable."""
        fence = self._fences.fence_of(slot)
        if fence is None:
            raise Fenced(f"slot {slot}", 0)
        batch = [_outgoing(word, published_us) for word in words]
        try:
            return len(await self._bus.publish(batch, replace(fence, epoch=self._epoch)))
        except Fenced as fenced:
            if self._epoch not in (None, (await self._bus.head()).epoch):
                raise BusUnavailable("The bus has begun a new epoch.") from fenced
            raise

    def _forget(self, tickers: Collection[str]) -> None:
        """The slot is another's: what we heard was not published, so what we know of these is not what was told. They
        are listened to anew from what the bus knows, by whoever owns the slot.
        """
        self._note_first(tickers)
        self.watches = {ticker: watch for ticker, watch in self.watches.items() if ticker not in tickers}
        self._slots = {ticker: slot for ticker, slot in self._slots.items() if ticker not in tickers}
        self._owed.difference_update(tickers)
        self._outbox.forget(tickers)
        self._on_forgotten(tickers)


def _slot_of(entry: tuple[int, Word]) -> int:
    return entry[0]


def _batches(entries: list[tuple[int, Word]]) -> list[list[tuple[int, Word]]]:
    """Cut so that nobody else waits long at the bus for one batch."""
    return [entries[at : at + BATCH_WORDS] for at in range(0, len(entries), BATCH_WORDS)]


def _has_moved(waiting: Collection[tuple[int, Word]]) -> bool:
    """Whether a ticker waits in two slots."""
    places = {(slot, word.ticker) for slot, word in waiting}
    return len({ticker for _, ticker in places}) < len(places)


def _outgoing(word: Word, published_us: int) -> Outgoing:
    match word:
        case Tick():
            return Outgoing(PublicationKind.TICK, word.ticker, encode_tick(word, published_us=published_us))
        case Status():
            return Outgoing(PublicationKind.STATUS, word.ticker, encode(word))
        case Gap():
            return Outgoing(PublicationKind.GAP, word.ticker, encode(word))
