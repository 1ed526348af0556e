"""A small house of streams: a real bus in memory, hubs that follow it, saved sets, and readers who take notes."""

import asyncio
import itertools
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Coroutine, Iterable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from __tests__.live.pipe import Pipe
from cryptomarket.backplane.bus import Bus, Fence, Outgoing
from cryptomarket.backplane.memory import MemoryBus
from cryptomarket.clock import Clock
from cryptomarket.errors import UnknownTicker
from cryptomarket.live.follow import Archive, Opener, Opening, SavedSet, SavedTicker
from cryptomarket.live.hub import Hub
from cryptomarket.live.relay import Relay
from cryptomarket.live.seat import Reason, Seat
from cryptomarket.live.stream import Stream, StreamLimits, Wish, mailbox_of
from cryptomarket.market.instruments import Instrument, Kind
from cryptomarket.market.position import Position
from cryptomarket.market.ticks import FeedState, Gap, GapCause, Status, Tick
from cryptomarket.market.wire import Change, Publication, PublicationKind, SetChange, encode, encode_tick

Json = Any  # what an event's data may be

START_US = 1_768_768_182_000_000
START_MS = START_US // 1000
EPOCH = "019bd0f9a1b2c3"
FENCE = Fence("slot:0", 1)
DEADLINE_S = 10.0
PAGE = 4


class Hands:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.wall_us = START_US

    def forward(self, seconds: float) -> None:
        self.wall_us += round(seconds * 1_000_000)

    def clock(self) -> Clock:
        return Clock(lambda: self.wall_us / 1e6, lambda: self.wall_us)


def tick_of(ticker: str, timestamp_ms: int = START_MS, price: str = "85500.12") -> Tick:
    return Tick(ticker, ticker, Kind.INDEX, Decimal(price), timestamp_ms, timestamp_ms * 1000 + 20_000)


def tick(ticker: str, timestamp_ms: int = START_MS, price: str = "85500.12") -> Outgoing:
    payload = encode_tick(tick_of(ticker, timestamp_ms, price), published_us=timestamp_ms * 1000 + 20_100)
    return Outgoing(PublicationKind.TICK, ticker, payload)


def status(ticker: str, state: FeedState = FeedState.LIVE, since_ms: int = START_MS) -> Outgoing:
    return Outgoing(PublicationKind.STATUS, ticker, encode(Status(ticker, state, since_ms, 20, "heard")))


def gap(ticker: str, from_ms: int, to_ms: int, cause: GapCause = GapCause.DISCONNECT) -> Outgoing:
    return Outgoing(PublicationKind.GAP, ticker, encode(Gap(ticker, from_ms, to_ms, cause)))


def published(outgoing: Outgoing, seq: int, prev_seq: int | None = None) -> Publication:
    """As if the bus had published it."""
    return Publication(Position(EPOCH, seq), outgoing.kind, outgoing.ticker, prev_seq, outgoing.payload)


def set_change(
    change: Change, ticker: str, tickers: Iterable[str], version: int, seq: int, user: str = "u"
) -> Publication:
    payload = encode(SetChange(user, change, ticker, tuple(sorted(tickers)), version))
    return Publication(Position(EPOCH, seq), PublicationKind.SET_CHANGE, ticker, None, payload, user)


@dataclass(frozen=True)
class Event:
    """One event, as a client reads it (WHATWG HTML, 9.2.6). Numbers with a point are exact decimals."""

    name: str
    data: Json
    id: Position | None = None
    retry_ms: int | None = None
    text: str = ""


def events_of(chunk: bytes) -> list[Event]:
    """The events of a chunk, which holds whole ones."""
    assert chunk.endswith(b"\n\n"), chunk
    return [_event_of(text) for text in chunk.decode().split("\n\n") if text]


def _event_of(text: str) -> Event:
    fields = [line.partition(": ")[::2] for line in text.split("\n")]
    names = [name for name, _ in fields]
    assert len(set(names)) == len(names), text
    told = dict(fields)
    id_ = None
    if "id" in told:
        id_ = Position.parse(told["id"])
        assert id_ is not None, text
    retry_ms = int(told["retry"]) if "retry" in told else None
    return Event(told.get("event", "message"), json.loads(told["data"], parse_float=Decimal), id_, retry_ms, text)


class Sets:
    """Saved sets in a dictionary, which takes its turns as a database would: kept, then published, then placed."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.sets: dict[str, dict[str, Position | None]] = {}
        self.versions: dict[str, int] = {}
        self.said: list[Publication] = []

    async def saved_set(self, user_id: str) -> SavedSet:
        kept = dict(self.sets.get(user_id, {}))
        version = self.versions.get(user_id, 0)
        await turns(2)
        return SavedSet([SavedTicker(ticker, since) for ticker, since in sorted(kept.items())], version)

    async def subscribe(self, user_id: str, ticker: str) -> Publication | None:
        kept = self.sets.setdefault(user_id, {})
        if ticker in kept:
            return None
        kept[ticker] = None
        publication = await self._publish(user_id, Change.SUBSCRIBED, ticker)
        await turns(3)
        if ticker in kept and kept[ticker] is None:
            kept[ticker] = publication.position
        return publication

    async def cancel(self, user_id: str, ticker: str) -> Publication | None:
        kept = self.sets.setdefault(user_id, {})
        if ticker not in kept:
            return None
        del kept[ticker]
        return await self._publish(user_id, Change.UNSUBSCRIBED, ticker)

    async def _publish(self, user_id: str, change: Change, ticker: str) -> Publication:
        self.versions[user_id] = self.versions.get(user_id, 0) + 1
        told = SetChange(user_id, change, ticker, tuple(sorted(self.sets[user_id])), self.versions[user_id])
        await turns(3)
        self.said.append(await self._bus.publish_change(user_id, ticker, encode(told)))
        return self.said[-1]


@dataclass
class Reader:
    """A client: takes notes of every event. While he is `paused` he reads nothing."""

    seat: Seat
    opening: Opening
    frames: AsyncGenerator[bytes, None]
    chunks: list[list[Event]] = field(default_factory=list)
    serving: "asyncio.Task[None] | None" = None
    reading: asyncio.Event = field(default_factory=asyncio.Event)
    noted: asyncio.Event = field(default_factory=asyncio.Event)
    pipe: Pipe | None = None
    ended: bool = False

    @property
    def events(self) -> list[Event]:
        return [event for chunk in self.chunks for event in chunk]

    def named(self, name: str) -> list[Event]:
        return [event for event in self.events if event.name == name]

    @property
    def last_id(self) -> Position:
        return [event.id for event in self.events if event.id is not None][-1]

    @property
    def seqs(self) -> list[int]:
        """The sequences of the publications about tickers that came."""
        return [event.data["seq"] for event in self.events if event.name in {"message", "status", "gap"}]

    async def read(self) -> None:
        try:
            while True:
                await self.reading.wait()
                chunk = await anext(self.frames, None)
                self._take()
                if chunk is None:
                    return
                self.chunks.append(events_of(chunk))
                self._note()
        finally:
            self.ended = True
            self._note()

    def _take(self) -> None:
        """Reads what was written past the frames."""
        if self.pipe is not None:
            self.chunks += [events_of(body) for body in self.pipe.take()]
            self._note()

    def reads_on(self) -> None:
        """He reads what waits, and everything from now on."""
        self.reading.set()
        self._take()

    def arrived(self) -> None:
        """Something was written past the frames."""
        if self.reading.is_set():
            asyncio.get_running_loop().call_soon(self._take)

    def _note(self) -> None:
        self.noted.set()
        self.noted = asyncio.Event()

    async def goes(self) -> None:
        """His connection is gone."""
        if self.pipe is not None:
            self._take()
            self.pipe.abort()
        assert self.serving is not None
        self.serving.cancel()
        await asyncio.wait([self.serving])

    async def until(self, condition: Callable[["Reader"], bool]) -> None:
        """Returns when the notes fulfil the condition."""
        async with asyncio.timeout(DEADLINE_S):
            while not condition(self):
                await self.noted.wait()

    async def until_seq(self, seq: int) -> None:
        await self.until(lambda reader: any(event.id is not None and event.id.seq >= seq for event in reader.events))

    async def until_named(self, name: str, count: int = 1) -> None:
        await self.until(lambda reader: len(reader.named(name)) >= count)

    async def until_ended(self) -> None:
        await self.until(lambda reader: reader.ended)


class Way:
    """How readers of this process are written to."""

    by_line = False


QUIET = StreamLimits(keep_alive_s=1000.0, ahead_s=0.5)


class House:
    """One bus, and `processes` hubs that follow it."""

    def __init__(
        self,
        *,
        processes: int = 1,
        log_capacity: int = 100_000,
        limits: StreamLimits = QUIET,
        ring_events: int | None = None,
        bus: Bus | None = None,
        archive: Archive | None = None,
    ) -> None:
        self.hands = Hands()
        self.bus: Bus = bus or MemoryBus(EPOCH, is_newest=lambda name, token: True, log_capacity=log_capacity)
        self.sets = Sets(self.bus)
        self.limits = limits
        clock = self.hands.clock()
        # The ring reaches back half as far as the log, so that both are asked.
        self.hubs = [
            Hub(
                Position(EPOCH, 0),
                clock,
                backlog_bytes=limits.backlog_bytes,
                ring_events=ring_events or max(1, min(1000, log_capacity // 2)),
            )
            for _ in range(processes)
        ]
        self.relays = [Relay(self.bus, hub) for hub in self.hubs]
        self.openers = [
            Opener(hub, self.bus, self.sets, ahead_s=limits.ahead_s, replay_page=PAGE, archive=archive)
            for hub in self.hubs
        ]
        self.said: list[Publication] = []
        self.running: list[asyncio.Task[None]] = []
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def hub(self) -> Hub:
        return self.hubs[0]

    async def begin(self) -> None:
        for relay in self.relays:
            await relay.begin()
            self.running.append(self.start(relay.run()))

    def start(self, work: Coroutine[object, object, None]) -> "asyncio.Task[None]":
        """Runs beside, until the house ends."""
        task = asyncio.create_task(work)
        self._tasks.append(task)
        return task

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task

    async def publish(self, *batch: Outgoing) -> list[Publication]:
        """Publishes, and returns when every process has heard it."""
        told = await self.bus.publish(batch, FENCE)
        self.said += told
        await self.heard()
        return told

    async def subscribe(self, ticker: str, user: str = "u") -> Publication | None:
        told = await self.sets.subscribe(user, ticker)
        await self.heard()
        return told

    async def cancel(self, ticker: str, user: str = "u") -> Publication | None:
        told = await self.sets.cancel(user, ticker)
        await self.heard()
        return told

    async def heard(self) -> None:
        """Returns when every process has heard everything."""
        head = (await self.bus.head()).seq
        async with asyncio.timeout(DEADLINE_S):
            for hub in self.hubs:
                await hub.reached(head)

    async def opened(
        self,
        fixed: Collection[str] | None = None,
        last_event_id: Position | str | None = None,
        *,
        user: str = "u",
        process: int = 0,
        limits: StreamLimits | None = None,
        dies_with: Callable[[str], bool] = lambda subject: False,
        reading: bool = True,
        random: Callable[[], float] = lambda: 0.5,
        **wishes: Json,
    ) -> Reader:
        """A reader of a stream that has just been opened."""
        hub = self.hubs[process]
        wish = Wish(**{"user_id": user, "request_id": "r", "exchange": "simulator", "expires_s": START_US, **wishes})
        limits = limits or self.limits
        seat = Seat(mailbox_of(wish, limits), user, follows_set=fixed is None, dies_with=dies_with)
        hub.admit(seat)
        id_ = str(last_event_id) if last_event_id is not None else None
        opening = await self.openers[process].open(seat, fixed, id_)
        stream = Stream(
            hub, self.openers[process], seat, wish=wish, limits=limits, clock=self.hands.clock(), random=random
        )
        reader = Reader(seat, opening, stream.frames(opening))
        if Way.by_line:
            reader.pipe = Pipe(reader.arrived)
            reader.pipe.line.on_lost = seat.go
            reader.frames = stream.frames(opening, reader.pipe.line)
        if reading:
            reader.reading.set()
        reader.serving = self.start(self._served(reader))
        reader.serving.add_done_callback(lambda _: hub.dismiss(seat))
        return reader

    @staticmethod
    async def _served(reader: Reader) -> None:
        async with aclosing(reader.frames):
            await reader.read()

    async def flushed(self, reader: Reader) -> None:
        """Everything that waits for him is read, and the stream over."""
        reader.seat.leave(Reason.DRAIN)
        reader.reads_on()
        await reader.until_ended()


@asynccontextmanager
async def house(**options: Json) -> AsyncIterator[House]:
    """A house that has begun, and is left empty."""
    built = House(**options)
    await built.begin()
    try:
        yield built
    finally:
        await built.end()


class Names:
    """A directory of two indices and one perpetual."""

    def __init__(self) -> None:
        self._known = {
            "btc_usd": Instrument("btc_usd", Kind.INDEX),
            "eth_usd": Instrument("eth_usd", Kind.INDEX),
            "btc-perpetual": Instrument("BTC-PERPETUAL", Kind.PERPETUAL),
        }

    async def resolve(self, name: str) -> Instrument:
        known = self.known(name)
        if known is None:
            raise UnknownTicker(name, self.nearest(name))
        return known

    def known(self, name: str) -> Instrument | None:
        return self._known.get(name.casefold())

    def nearest(self, name: str, count: int = 3) -> list[str]:
        return sorted(known.name for known in self._known.values())[:count]

    def forget(self, name: str) -> None:
        self._known.pop(name.casefold(), None)


async def turns(count: int) -> None:
    """Gives the others a few turns of the loop."""
    for _ in range(count):
        # sleep: a turn of the loop, as any wait for a database would give it
        await asyncio.sleep(0)


async def eventually(condition: Callable[[], bool]) -> None:
    """Gives other tasks their turns until the condition holds."""
    async with asyncio.timeout(DEADLINE_S):
        for turn in itertools.count():
            if condition():
                return
            # sleep: every turn of the loop is given to the others; the deadline above ends it
            await asyncio.sleep(0 if turn < 100 else 0.01)
