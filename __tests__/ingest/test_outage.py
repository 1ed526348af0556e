"""A bus that is away is a state: the newest is kept for it, what could not be said is a gap, and nothing is doubled."""

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from __tests__.backplane.outage import LeavingBus, LeavingCache, LeavingDemand, LeavingLeases, Outage
from __tests__.ingest.house import INDEX, OPTION, PERIODS, Exchange, Hands, Listed, ticker_of
from __tests__.ingest.test_takeover import Store
from __tests__.live.world import eventually
from cryptomarket.backoff import Backoff
from cryptomarket.backplane.bus import Fence
from cryptomarket.backplane.memory import MemoryLeases
from cryptomarket.deribit.events import Heard, Held, Lost
from cryptomarket.ingest.feed import Feed
from cryptomarket.ingest.holding import Holding
from cryptomarket.ingest.ownership import Ownership, slot_lease_name
from cryptomarket.market.instruments import Instrument, Kind
from cryptomarket.market.position import Position
from cryptomarket.market.ticks import Gap, GapCause, Status, Tick
from cryptomarket.market.wire import PublicationKind, decode_gap, decode_status, decode_tick

LIFE_S = 6.0
CHANNELS = {INDEX.name: f"deribit_price_index.{INDEX.name}", OPTION.name: f"ticker.{OPTION.name}.100ms"}


class World:
    """One ingest process on a backplane that can be taken away, hearing one index and one option on slot 0."""

    def __init__(self, *, window: int = 1, bus_of: type[LeavingBus] = LeavingBus, outbox_bound: int = 20_000) -> None:
        self.hands = Hands()
        self.outage = Outage()
        self.leases = MemoryLeases(lambda: self.hands.now_s)
        self.bus = bus_of(self.outage, self.leases, window=window)
        self.demand = LeavingDemand(self.outage, lambda: self.hands.now_s)
        self.exchange = Exchange()
        self.store = Store()
        clock = self.hands.clock()
        self.ownership = Ownership(
            LeavingLeases(self.outage, self.leases),
            LeavingCache(self.outage, lambda: self.hands.now_s),
            owner="me",
            slots=1,
            life_s=LIFE_S,
            on_change=lambda: None,
            monotonic_s=lambda: self.hands.now_s,
        )
        backoff = Backoff(base_s=0.001, cap_s=0.01, random=lambda: 1.0)
        self.feed = Feed(self.bus, self, clock=clock, backoff=backoff, outbox_bound=outbox_bound)
        self.holding = Holding(
            self.demand,
            self.bus,
            Listed(INDEX, OPTION),
            self.store,
            self.feed,
            self.exchange,
            slots=lambda: sorted(self.ownership.held),
            always=[INDEX.name, OPTION.name],
            periods=PERIODS,
            clock=clock,
        )

    def fence_of(self, slot: int) -> Fence | None:
        lease = self.ownership.held.get(slot)
        return Fence(slot_lease_name(slot), lease.token) if lease is not None else None

    async def begin(self) -> None:
        await self.ownership.settle()
        await self.holding.settle()
        self.feed.hear(Held(0, tuple(self.exchange.held[0])))

    def hears(self, instrument: Instrument, price: float = 1.5) -> None:
        """A second passes, and the exchange sends news."""
        self.hands.forward(1)
        data: dict[str, object] = {"index_name": instrument.name, "price": price, "timestamp": self.hands.now_ms}
        if instrument.kind is not Kind.INDEX:
            data = ticker_of(instrument, self.hands.now_ms, price)
        told = msgspec.Raw(msgspec.json.encode(data))
        self.feed.hear(Heard(0, CHANNELS[instrument.name], told, self.hands.now_us))

    async def told(self, instrument: Instrument) -> list[Tick | Status | Gap]:
        """Everything that was published of it in this epoch."""
        bus = self.bus.inner
        head = await bus.head()
        read: dict[PublicationKind, Callable[[bytes], Tick | Status | Gap]] = {
            PublicationKind.TICK: decode_tick,
            PublicationKind.STATUS: decode_status,
            PublicationKind.GAP: decode_gap,
        }
        said = await bus.since(Position(head.epoch, 0), head.seq, 10_000)
        return [read[each.kind](each.payload) for each in said if each.ticker == instrument.name]

    async def stored(self, instrument: Instrument) -> None:
        """The store has everything that was published so far."""
        for word in await self.told(instrument):
            if isinstance(word, Tick):
                self.store.ticks[word.ticker] = word
            elif isinstance(word, Status):
                self.store.statuses[word.ticker] = word


def shown(words: list[Tick | Status | Gap]) -> list[str]:
    return [
        f"{word.state}:{word.reason}"
        if isinstance(word, Status)
        else f"gap:{word.cause}"
        if isinstance(word, Gap)
        else str(word.price)
        for word in words
    ]


@pytest.fixture(params=[1, 4])
async def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> World:
    """With one batch under way at a time, and with several, each of a word or two."""
    if request.param > 1:
        monkeypatch.setattr("cryptomarket.ingest.publisher.BATCH_WORDS", 2)
    made = World(window=request.param)
    await made.begin()
    made.hears(INDEX, 1)
    made.hears(OPTION, 1)
    assert await made.feed.publish_outbox()
    return made


async def test_the_newest_is_kept_and_the_rest_is_a_gap(world: World) -> None:
    """Promise: after an outage the newest tick is told, and what came before it and could not be is a gap."""
    world.outage.begin()
    from_ms = world.feed.watches[INDEX.name].last
    for price in range(2, 6):
        world.hears(INDEX, price)
        assert not await world.feed.publish_outbox()
    world.hears(OPTION, 2)
    world.outage.end()
    assert await world.feed.publish_outbox()
    told = await world.told(INDEX)
    assert shown(told) == [
        "1",
        "live:None",
        "gap:bus",
        "5",
    ]
    assert from_ms is not None
    [gap] = [word for word in told if isinstance(word, Gap)]
    assert (gap.from_ms, gap.to_ms) == (from_ms.timestamp_ms, world.hands.now_ms - 1000)
    assert shown(await world.told(OPTION)) == ["1", "live:None", "2"]
    world.hears(INDEX, 6)
    assert await world.feed.publish_outbox()
    assert shown(await world.told(INDEX))[4:] == ["6"]


async def test_an_outage_that_loses_nothing_is_no_gap(world: World) -> None:
    """Promise: one tick that came late is told late, and nothing else is said."""
    world.outage.begin()
    world.hears(INDEX, 2)
    assert not await world.feed.publish_outbox()
    assert not await world.feed.publish_outbox()
    world.outage.end()
    assert await world.feed.publish_outbox()
    assert shown(await world.told(INDEX)) == ["1", "live:None", "2"]
    assert shown(await world.told(OPTION)) == ["1", "live:None"]


async def test_what_was_published_without_an_answer_is_not_said_twice(world: World) -> None:
    """Promise: never a double: the bus is asked what it knows before anything is repeated."""
    world.outage.answers_lost = True
    world.hears(INDEX, 2)
    world.hears(INDEX, 3)
    assert not await world.feed.publish_outbox()
    world.hears(INDEX, 4)
    world.outage.end()
    assert await world.feed.publish_outbox()
    assert shown(await world.told(INDEX)) == ["1", "live:None", "2", "3", "4"]


async def test_a_break_during_the_outage_is_told_after_it(world: World) -> None:
    """Promise: the state that a stream reads after the outage is the feed's own, and the next gap begins at the tick
    that was told.
    """
    world.outage.begin()
    world.hears(INDEX, 2)
    assert not await world.feed.publish_outbox()
    world.feed.hear(Lost(0, tuple(CHANNELS.values()), "gone"))
    world.outage.end()
    assert await world.feed.publish_outbox()
    world.hears(INDEX, 3)
    assert await world.feed.publish_outbox()
    expected = ["1", "live:None", "2", "down:disconnect", "gap:disconnect", "3", "live:heard"]
    assert shown(await world.told(INDEX)) == expected


async def test_another_epoch_is_told_what_was_lost_since_the_store(world: World) -> None:
    """Promise: a bus that comes back with nothing is told the state of every ticker, and a gap from the last stored
    tick where that is not the newest one.
    """
    await world.stored(INDEX)
    await world.stored(OPTION)
    world.hears(INDEX, 2)
    assert await world.feed.publish_outbox()
    world.outage.begin()
    world.hears(INDEX, 3)
    assert not await world.feed.publish_outbox()
    world.bus.begin_epoch()
    world.outage.end()
    assert await world.feed.publish_outbox()
    told = await world.told(INDEX)
    assert shown(told) == ["gap:bus", "3", "live:None"]
    assert isinstance(told[0], Gap)
    assert told[0].from_ms == world.store.ticks[INDEX.name].timestamp_ms
    assert shown(await world.told(OPTION)) == ["live:None"]
    _, pictures = await world.bus.pictures([OPTION.name])
    assert pictures[OPTION.name].remembered is not None


async def test_what_was_never_stored_is_a_gap_from_the_first_tick_that_was_heard(world: World) -> None:
    """Promise: a store that knows nothing yet may still be handed what was said in the former epoch: what lies after
    the first tick of it is a gap, for who goes on listening and for who begins anew.
    """
    first = {each: world.feed.watches[each.name].last for each in (INDEX, OPTION)}
    world.outage.begin()
    world.hears(INDEX, 2)
    world.hears(INDEX, 3)
    assert not await world.feed.publish_outbox()
    world.bus.begin_epoch()
    world.outage.end()
    world.feed.listen_to({CHANNELS[INDEX.name]: (world.feed.watches[INDEX.name], 0)})
    assert await world.feed.publish_outbox()
    await world.holding.settle()
    world.hears(OPTION, 4)
    assert await world.feed.publish_outbox()
    expected = {INDEX: ["gap:bus", "3", "live:None"], OPTION: ["live:None", "down:takeover", "gap:bus", "4"]}
    for instrument, words in expected.items():
        told = await world.told(instrument)
        assert [word for word in shown(told) if word != "live:heard"] == words
        [gap] = [word for word in told if isinstance(word, Gap)]
        tick = first[instrument]
        assert tick is not None
        assert gap.from_ms == tick.timestamp_ms


async def test_an_epoch_that_ended_unnoticed_is_noticed_at_the_next_publication(world: World) -> None:
    """Promise: no tick is said in another epoch as if nothing had been between, however short the outage."""
    await world.stored(INDEX)
    world.hears(INDEX, 2)
    assert await world.feed.publish_outbox()
    world.bus.begin_epoch()
    world.hears(INDEX, 3)
    assert not await world.feed.publish_outbox()
    assert await world.feed.publish_outbox()
    assert shown(await world.told(INDEX)) == ["gap:bus", "3", "live:None"]


async def test_a_store_that_is_away_is_waited_for_before_a_gap_is_told(world: World) -> None:
    """Promise: without what was stored the gap can't be told, so the ticker waits, and the others don't."""
    world.outage.begin()
    world.hears(INDEX, 2)
    assert not await world.feed.publish_outbox()
    await world.stored(INDEX)
    world.bus.begin_epoch()
    world.outage.end()
    world.store.away = True
    assert not await world.feed.publish_outbox()
    assert await world.told(INDEX) == []
    world.store.away = False
    assert await world.feed.publish_outbox()
    assert shown(await world.told(INDEX)) == ["2", "live:None"]


async def test_a_ticker_that_is_given_up_during_the_outage_does_not_stay_live(world: World) -> None:
    """Promise: what is no longer held is told to be unknown, also when the bus could not be told at once."""
    world.outage.begin()
    world.hears(INDEX, 2)
    assert not await world.feed.publish_outbox()
    watch = world.feed.watches[INDEX.name]
    world.feed.say(watch, watch.broken(watch.state.UNKNOWN, GapCause.NOT_SUBSCRIBED, now_ms=world.hands.now_ms))
    world.feed.listen_to({})
    assert not await world.feed.publish_outbox()
    world.outage.end()
    assert await world.feed.publish_outbox()
    assert shown(await world.told(INDEX)) == ["1", "live:None", "unknown:not_subscribed"]


async def test_the_feed_and_the_holding_outlive_the_outage(world: World) -> None:
    """Promise: never a crash: both go on by themselves, with pauses in between, and find what is wanted afterwards."""
    running = [asyncio.create_task(world.feed.run()), asyncio.create_task(world.holding.run())]
    try:
        world.outage.begin()
        world.hears(INDEX, 2)
        await eventually(lambda: world.outage.refusals >= 6)
        assert not any(task.done() for task in running)
        published = world.feed.counts.published
        world.outage.end()
        await eventually(lambda: world.feed.counts.published > published)
        assert shown(await world.told(INDEX))[-1] == "2"
        assert world.holding.watched == {INDEX.name, OPTION.name}
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def test_a_slot_whose_lease_cannot_be_renewed_is_let_go_of_and_taken_again(world: World) -> None:
    """Promise: who can't prove that a slot is his stops using it when its lease has run out, and not before."""
    token = world.ownership.held[0].token
    world.outage.begin()
    world.hands.forward(LIFE_S - 3)
    assert world.ownership.let_go() > 0
    assert set(world.ownership.held) == {0}
    world.hands.forward(3)
    world.ownership.let_go()
    assert world.ownership.held == {}
    world.hears(INDEX, 2)
    world.outage.end()
    await world.feed.publish_outbox()
    assert shown(await world.told(INDEX)) == ["1", "live:None"]
    await world.ownership.settle()
    assert world.ownership.held[0].token > token
    await world.holding.settle()
    world.hears(INDEX, 3)
    assert await world.feed.publish_outbox()
    expected = ["1", "live:None", "down:takeover", "gap:disconnect", "3", "live:heard"]
    assert shown(await world.told(INDEX)) == expected


async def test_an_owner_lets_go_by_himself_while_the_leases_are_away() -> None:
    """Promise: the round goes on through an outage; slots are held, let go of, and held again."""
    world, changes = World(), asyncio.Queue[frozenset[int]]()
    leases = MemoryLeases(asyncio.get_running_loop().time)
    ownership = Ownership(
        LeavingLeases(world.outage, leases),
        LeavingCache(world.outage, asyncio.get_running_loop().time),
        owner="me",
        slots=2,
        life_s=0.2,
        on_change=lambda: changes.put_nowait(frozenset(ownership.held)),
        monotonic_s=asyncio.get_running_loop().time,
    )
    running = asyncio.create_task(ownership.run())
    async with asyncio.timeout(10):
        assert await changes.get() == {0, 1}
        world.outage.begin()
        while await changes.get():
            pass
        world.outage.end()
        while await changes.get() != {0, 1}:
            pass
        world.outage.begin()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert running.cancelled()


async def test_an_instrument_that_is_heard_anew_on_a_held_channel_is_subscribed_anew(world: World) -> None:
    """Promise: an instrument speaks only on change, so who has lost its picture asks for its word again."""
    taken = await world.leases.acquire(slot_lease_name(0), "me", life_s=LIFE_S)
    assert taken is not None
    world.hears(OPTION, 2)
    assert await world.feed.publish_outbox()
    assert OPTION.name not in world.feed.watches
    world.ownership.held[0] = taken
    await world.holding.settle()
    assert CHANNELS[OPTION.name] not in world.exchange.held[0]
    await world.holding.settle()
    assert CHANNELS[OPTION.name] in world.exchange.held[0]
    world.hears(OPTION, 3)
    assert await world.feed.publish_outbox()
    assert shown(await world.told(OPTION))[-4:] == ["down:takeover", "gap:disconnect", "3", "live:heard"]
