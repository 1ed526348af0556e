"""Whatever happens, nobody misses or doubles anything: the main oracle of this room.

Random publishing, subscribing, cancelling, breaking off in the middle of a write, falling silent and coming back, on
either of two processes. What the bus published is known; what each reader should have follows from it and from the
contract, section 3, and from nothing of the code under test but where each stream was opened.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from __tests__.examples import examples
from __tests__.live.world import (
    EPOCH,
    FENCE,
    QUIET,
    START_MS,
    Event,
    House,
    Json,
    Reader,
    events_of,
    gap,
    house,
    status,
    tick,
    turns,
)
from cryptomarket.backplane.bus import Outgoing
from cryptomarket.live.events import frame_of
from cryptomarket.live.follow import Resume
from cryptomarket.live.stream import Mode
from cryptomarket.market.position import Position
from cryptomarket.market.ticks import FeedState
from cryptomarket.market.wire import Change, Publication, PublicationKind, decode_set_change, decode_status

TICKERS = ("ada_usd", "btc_usd", "eth_usd")
LAST = "xrp_usd"  # everybody has it; its last word comes after everything
CHAIN = {"message", "status", "gap"}
SNAPSHOT_AT_FIRST = {"fresh", "reset"}

of_ticker = st.sampled_from(TICKERS)
of_count = st.integers(0, 5)
step = st.one_of(
    *(st.tuples(st.just(name), of_ticker) for name in ("tick", "tick", "status", "gap", "burst", "cancel")),
    *(st.tuples(st.just(name), of_ticker) for name in ("subscribe", "subscribe")),
    *(st.tuples(st.just(name), of_count) for name in ("cut", "pause", "go", "turn", "hear")),
)

pytestmark = pytest.mark.usefixtures("way")


steps_of_story = st.lists(step, min_size=10, max_size=80)


@dataclass
class Customer:
    """Somebody who comes back whenever his stream has ended, with the last id he got. `kept` is what reached him."""

    fixed: tuple[str, ...] | None
    wishes: dict[str, Json] = field(default_factory=dict)
    readers: list[Reader] = field(default_factory=list)
    kept: list[list[Event]] = field(default_factory=list)
    presented: list[Position | None] = field(default_factory=list)
    opening: "asyncio.Task[Reader] | None" = None
    reads: bool = True

    @property
    def last_id(self) -> Position | None:
        """The last id of all that reached him."""
        return next((event.id for kept in reversed(self.kept) for event in reversed(kept) if event.id), None)

    def come(self, built: House) -> None:
        """Asks for a stream; it may take a while until it is open."""
        self.presented.append(self.last_id)
        process = len(self.presented) % len(built.hubs)
        opened = built.opened(self.fixed, self.last_id, process=process, reading=self.reads, **self.wishes)
        self.opening = asyncio.create_task(opened)

    async def settled(self) -> Reader:
        """His stream, once it is open."""
        if self.opening is not None:
            self.readers.append(await self.opening)
            self.opening = None
        return self.readers[-1]

    async def leave(self, lost: int = 0) -> None:
        """His connection is gone; the last `lost` events never reached him."""
        reader = await self.settled()
        await reader.goes()
        self.kept.append(reader.events[: len(reader.events) - lost] if lost < len(reader.events) else [])


class Story:
    """Plays steps."""

    def __init__(self, built: House, customers: Sequence[Customer]) -> None:
        self.house = built
        self.customers = customers
        self._at_ms = START_MS

    @property
    def published(self) -> list[Publication]:
        """All that was said, in the one order."""
        said = sorted([*self.house.said, *self.house.sets.said], key=lambda publication: publication.seq)
        assert [publication.seq for publication in said] == list(range(1, len(said) + 1))
        return said

    def _next_ms(self) -> int:
        self._at_ms += 10
        return self._at_ms

    async def say(self, *batch: Outgoing) -> list[Publication]:
        """Publishes, and waits for nobody."""
        told = await self.house.bus.publish(batch, FENCE)
        self.house.said += told
        return told

    async def play(self, name: str, value: Json) -> None:
        """One step."""
        if name in {"tick", "status", "gap", "burst"}:
            await self.say(*self._words(name, value))
        elif name == "subscribe":
            await self.house.sets.subscribe("u", value)
        elif name == "cancel":
            await self.house.sets.cancel("u", value)
        elif name == "turn":
            await turns(value)
        elif name == "hear":
            await self.house.heard()
        else:
            await self._touch(name, self.customers[value % len(self.customers)], value)
        for who in self.customers:
            if who.opening is None and who.readers[-1].ended:
                await who.leave()
                who.come(self.house)

    def _words(self, name: str, ticker: str) -> list[Outgoing]:
        at_ms = self._next_ms()
        if name == "status":
            return [status(ticker, list(FeedState)[at_ms // 10 % len(FeedState)], at_ms)]
        if name == "gap":
            return [gap(ticker, at_ms, self._next_ms())]
        if name == "tick":
            return [tick(ticker, at_ms)]
        return [tick(each, self._next_ms()) for each in (ticker, *TICKERS, ticker, *TICKERS, ticker, *TICKERS)]

    async def _touch(self, name: str, who: Customer, value: int) -> None:
        if name == "cut":
            await who.leave(lost=value)
            who.come(self.house)
            return
        who.reads = name == "go"
        reader = await who.settled()
        if who.reads:
            reader.reads_on()
        else:
            reader.reading.clear()

    async def end(self) -> None:
        """Everybody reads everything."""
        [last] = await self.say(status(LAST, FeedState.LIVE, self._next_ms()))
        await self.house.heard()
        for who in self.customers:
            who.reads = True
            while True:
                reader = await who.settled()
                reader.reads_on()
                await reader.until(lambda reader: reader.ended or _last_seq(reader.events) >= last.seq)
                await who.leave()
                if _last_seq(who.kept[-1]) >= last.seq:
                    break
                who.come(self.house)


def _last_seq(events: Sequence[Event]) -> int:
    return max((event.id.seq for event in events if event.id is not None), default=0)


@dataclass
class Connection:
    """One of a customer's connections, and the truth about it."""

    presented: Position | None
    reader: Reader
    kept: list[Event]
    published: list[Publication]
    fixed: tuple[str, ...] | None

    @property
    def opened_at(self) -> int:
        opening = self.reader.opening
        return opening.until if opening.resume is Resume.COMPLETE else opening.position.seq

    @property
    def last_id(self) -> int:
        """Up to here, the ids that reached him promise that he has everything."""
        before = self.presented.seq if self.presented is not None and self.is_complete else 0
        return max(_last_seq(self.kept), before)

    @property
    def is_complete(self) -> bool:
        return self.reader.opening.resume is Resume.COMPLETE

    def set_at(self, seq: int) -> dict[str, int]:
        """The tickers at a position and where each was subscribed last."""
        if self.fixed is not None:
            return dict.fromkeys(self.fixed, 0)
        tickers: dict[str, int] = {}
        for publication in self.published[:seq]:
            if publication.kind is PublicationKind.SET_CHANGE:
                self._change(tickers, publication)
        return tickers

    @staticmethod
    def _change(tickers: dict[str, int], publication: Publication) -> None:
        change = decode_set_change(publication.payload)
        if change.change is Change.SUBSCRIBED:
            tickers[change.ticker] = publication.seq
        else:
            tickers.pop(change.ticker, None)

    def begins_with(self) -> dict[str, int]:
        """The set at the opening. A cancelling that was kept, and published only afterwards, may count already."""
        opening = self.reader.opening
        told = {*opening.tickers, *(event.data["ticker"] for group in opening.later for event in events_of(group))}
        tickers = self.set_at(self.opened_at)
        for ticker in tickers.keys() - told:
            changes = [
                decode_set_change(each.payload).change
                for each in self.published[self.opened_at :]
                if each.kind is PublicationKind.SET_CHANGE and each.ticker == ticker
            ]
            assert changes[0] is Change.UNSUBSCRIBED
            del tickers[ticker]
        assert tickers.keys() == told
        return tickers

    def later(self) -> set[str]:
        """The tickers that were subscribed since the presented id."""
        if not self.is_complete or self.presented is None:
            return set()
        return {ticker for ticker, at in self.begins_with().items() if at > self.presented.seq}

    def unproven(self) -> set[str]:
        """Whoever is cut off between a replay's events and the groups at its end has ids that lie above the changes of
        his set, and comes back without those snapshots: `connected` alone names the tickers to him.
        """
        told = any(event.name == "snapshot" and event.id is not None for event in self.kept)
        return set() if told else self.later()

    def owed(self) -> list[Publication]:
        """What the contract owes him up to his last id, in order; set changes while it was open included."""
        at = self.opened_at
        tickers, later = self.begins_with(), self.later()
        after = self.presented.seq if self.is_complete and self.presented is not None else at
        owed = []
        for publication in self.published[after : self.last_id]:
            if publication.kind is PublicationKind.SET_CHANGE:
                before = set(tickers)
                if publication.seq > at and self.fixed is None:
                    self._change(tickers, publication)
                if tickers.keys() != before:
                    owed.append(publication)
            elif publication.ticker in tickers and (publication.seq > at or publication.ticker not in later):
                owed.append(publication)
        return owed


def check_shape(connection: Connection) -> None:
    """Events in their order, ids where they may be, none smaller than one before."""
    kept = connection.kept
    if not kept:
        return
    first = kept[0]
    assert first.name == "connected"
    assert first.retry_ms is not None
    assert all(event.retry_ms is None and event.name != "connected" for event in kept[1:])
    assert first.data["resume"] == connection.reader.opening.resume
    ids = [event.id for event in kept if event.id is not None]
    assert all(id_.epoch == EPOCH for id_ in ids)
    assert all(before.seq <= after.seq for before, after in pairwise(ids))
    if connection.is_complete:
        assert first.id == connection.presented
        assert first.data["position"] == str(connection.presented)
    else:
        tickers = first.data["tickers"]
        assert sorted(connection.begins_with()) == tickers
        snapshots = kept[1 : 1 + len(tickers)]
        assert [(event.name, event.data["ticker"]) for event in snapshots] == [
            ("snapshot", ticker) for ticker in tickers[: len(snapshots)]
        ]
        group = kept[: 1 + len(tickers)]
        assert all(event.id is None for event in group[: len(tickers)])
        if len(group) == 1 + len(tickers):
            assert group[-1].id == Position(EPOCH, connection.opened_at)
    for event in kept:
        if event.name in CHAIN:
            assert event.id is not None
            assert event.id.seq == event.data["seq"]


def check_snapshots(connection: Connection) -> None:
    """Each snapshot is the truth as of its group's position: what was last published of the ticker, all of it."""
    for before, event in pairwise(connection.kept):
        if before.name == "subscribed" and event.name == "snapshot":
            assert event.data["ticker"] == before.data["ticker"]
            at = max(before.data["seq"], connection.opened_at)
        elif event.name == "snapshot":
            at = connection.opened_at
        else:
            continue
        of_ticker = [
            each
            for each in connection.published[:at]
            if each.ticker == event.data["ticker"] and each.kind is not PublicationKind.SET_CHANGE
        ]
        ticks = [each for each in of_ticker if each.kind is PublicationKind.TICK]
        words = [each for each in of_ticker if each.kind is PublicationKind.STATUS]
        told = dict(event.data)
        assert told.pop("last_seq") == (of_ticker[-1].seq if of_ticker else None)
        state = decode_status(words[-1].payload) if words else None
        assert (told.pop("state"), told.pop("since_ms")) == (
            (state.state, state.since_ms) if state else ("unknown", None)
        )
        age_ms = told.pop("age_ms")
        if ticks:
            # To the digit what was streamed as an event of its own.
            assert told == events_of(frame_of(ticks[-1]))[0].data
            assert age_ms == max(0, START_MS - told["received_us"] // 1000)
        else:
            assert {name for name, value in told.items() if value is not None} == {"ticker"}
            assert age_ms is None


def check_everything(connection: Connection) -> None:
    """mode=all without timer: exactly what is owed, once each, in order, with the content that was published."""
    owed = connection.owed()
    told = [event for event in connection.kept if event.name in CHAIN]
    chain = [publication for publication in owed if publication.kind is not PublicationKind.SET_CHANGE]
    assert [event.data["seq"] for event in told] == [publication.seq for publication in chain]
    for event, publication in zip(told, chain, strict=True):
        assert events_of(frame_of(publication)) == [event]
    changes = [event for event in connection.kept if event.name in {"subscribed", "unsubscribed"}]
    live = [each for each in changes if connection.opened_at < each.data["seq"] <= connection.last_id]
    assert [(each.data["seq"], each.data["ticker"]) for each in live] == [
        (each.seq, each.ticker) for each in owed if each.kind is PublicationKind.SET_CHANGE
    ]
    if not connection.unproven():
        at_opening = [each.data["ticker"] for each in changes if each.data["seq"] <= connection.opened_at]
        assert at_opening == sorted(connection.later())


def check_proof(connections: Sequence[Connection]) -> None:
    """What a client can check by itself: each event names the one of its ticker that he had before."""
    known: dict[str, int | None] = {}
    unproven: set[str] = set()
    for connection in connections:
        for event in connection.kept:
            if event.name == "connected":
                known = {ticker: seq for ticker, seq in known.items() if ticker in event.data["tickers"]}
                if event.data["resume"] in SNAPSHOT_AT_FIRST:
                    known.clear()
            elif event.name == "unsubscribed":
                known.pop(event.data["ticker"], None)
            elif event.name == "snapshot":
                known[event.data["ticker"]] = event.data["last_seq"]
                unproven.discard(event.data["ticker"])
            elif event.name in CHAIN:
                if event.data["ticker"] not in unproven:
                    assert event.data["prev_seq"] == known[event.data["ticker"]]
                known[event.data["ticker"]] = event.data["seq"]
        unproven |= connection.unproven()


def check_conflated(connections: Sequence[Connection]) -> None:
    """The last of each ticker is reached, positions grow, and every gap that is owed is within one that was told."""
    ticks: dict[str, int | None] = {}
    states: dict[str, str] = {}
    unproven: set[str] = set()
    for connection in connections:
        seqs = [event.data["seq"] for event in connection.kept if event.name in CHAIN]
        assert all(before < after for before, after in pairwise(seqs))
        owed = {publication.seq for publication in connection.owed()}
        assert owed.issuperset(seqs)
        for event in connection.kept:
            ticker = event.data.get("ticker")
            if event.name in {"snapshot", "message"}:
                ticks[ticker] = event.data["seq"]
            if event.name in {"snapshot", "status"}:
                states[ticker] = event.data["state"]
            if event.name == "snapshot":
                unproven.discard(ticker)
        unproven |= connection.unproven()
        check_gaps(connection)
    published = connections[-1].published
    for ticker in connections[-1].set_at(len(published)).keys() - unproven:
        of_ticker = [each for each in published if each.ticker == ticker]
        last_ticks = [each.seq for each in of_ticker if each.kind is PublicationKind.TICK]
        last_states = [events_of(frame_of(each))[0] for each in of_ticker if each.kind is PublicationKind.STATUS]
        assert ticks[ticker] == (last_ticks[-1] if last_ticks else None)
        assert states[ticker] == (last_states[-1].data["state"] if last_states else "unknown")


def check_gaps(connection: Connection) -> None:
    """A merged gap is told where the first was, so that no id promises one that was not told."""
    owed = connection.owed()
    # What was cancelled while it waited is not told any more; nor is what a cancelling beyond the last id took away.
    last_change = {each.ticker: each.seq for each in connection.published if each.kind is PublicationKind.SET_CHANGE}
    told = [event.data for event in connection.kept if event.name == "gap"]
    for publication in owed:
        if publication.kind is PublicationKind.GAP and last_change.get(publication.ticker, 0) <= publication.seq:
            [one] = [event.data for event in events_of(frame_of(publication))]
            assert any(
                each["ticker"] == one["ticker"] and each["from_ms"] <= one["from_ms"] and one["to_ms"] <= each["to_ms"]
                for each in told
            )


async def play(steps: Sequence[tuple[str, Json]], customers: Sequence[Customer], *, log_capacity: int) -> None:
    """A whole story, and its moral."""
    limits = replace(QUIET, backlog_bytes=5000)
    async with house(processes=2, log_capacity=log_capacity, limits=limits) as built:
        story = Story(built, customers)
        await built.subscribe(LAST)
        await built.subscribe(TICKERS[0])
        for who in customers:
            who.come(built)
            await who.settled()
        for name, value in steps:
            await story.play(name, value)
        await story.end()
        await turns(1)
        assert not any(hub.seats for hub in built.hubs)
        assert not any(hub.tickers for hub in built.hubs)
        published = story.published
    for who in customers:
        connections = [
            Connection(presented, reader, kept, published, who.fixed)
            for presented, reader, kept in zip(who.presented, who.readers, who.kept, strict=True)
        ]
        for connection in connections:
            check_shape(connection)
            check_snapshots(connection)
        if who.wishes:
            check_conflated(connections)
        else:
            check_proof(connections)
            for connection in connections:
                check_everything(connection)


FIXED = (LAST, "btc_usd", "eth_usd")


@given(steps_of_story)
@examples(150)
def test_everything_comes_once_and_in_order(steps: list[tuple[str, Json]]) -> None:
    """mode=all: the union over all connections is exactly the publications of each ticker while it was subscribed."""
    customers = [Customer(None), Customer(tuple(sorted(FIXED))), Customer(None)]
    asyncio.run(play(steps, customers, log_capacity=100_000))


@given(steps_of_story)
@examples(100)
def test_a_log_that_was_outrun_is_told(steps: list[tuple[str, Json]]) -> None:
    """With a log too short for those who come late, they are reset; never a silent hole, never a double."""
    customers = [Customer(None), Customer(tuple(sorted(FIXED)))]
    asyncio.run(play(steps, customers, log_capacity=9))


@given(steps_of_story)
@examples(150)
def test_conflating_streams_reach_the_last_of_each(steps: list[tuple[str, Json]]) -> None:
    """mode=latest and timer: the newest tick and status of each ticker are reached, and no gap is lost."""
    customers = [
        Customer(None, {"mode": Mode.LATEST}),
        Customer(tuple(sorted(FIXED)), {"mode": Mode.LATEST}),
        Customer(None, {"timer_s": 30.0}),
    ]
    asyncio.run(play(steps, customers, log_capacity=100_000))
