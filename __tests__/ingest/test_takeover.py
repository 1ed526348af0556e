"""Who hears a ticker, and what is told when another hears it from now on."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from itertools import pairwise

import msgspec
import pytest

from __tests__.ingest.house import INDEX, OPTION, PERIODS, Exchange, Hands, Listed, tick_at, ticker_of
from cryptomarket.backplane.bus import Fence
from cryptomarket.backplane.lease import Lease
from cryptomarket.deribit.events import Heard, Held, Lost
from cryptomarket.errors import DatabaseUnavailable
from cryptomarket.foundation import Backplane, memory_backplane
from cryptomarket.ingest.feed import PLATFORM_CHANNELS, Feed
from cryptomarket.ingest.holding import Holding
from cryptomarket.ingest.subscriptions import slot_of
from cryptomarket.market.instruments import Instrument, Kind
from cryptomarket.market.position import Position
from cryptomarket.market.ticks import FeedState, Gap, GapCause, Status, Tick
from cryptomarket.market.wire import PublicationKind, decode_gap, decode_status, decode_tick

SLOTS = 4
INDICES = tuple(Instrument(f"{name}_usd", Kind.INDEX) for name in ("ada", "btc", "eth", "sol", "xrp", "doge"))


@dataclass
class Store:
    """What was kept before. While it is `away`, it can't be read."""

    ticks: dict[str, Tick] = field(default_factory=dict)
    statuses: dict[str, Status] = field(default_factory=dict)
    away: bool = False

    async def last_tick(self, ticker: str) -> Tick | None:
        if self.away:
            raise DatabaseUnavailable("away")
        return self.ticks.get(ticker)

    async def last_status(self, ticker: str) -> Status | None:
        return self.statuses.get(ticker)


class Process:
    """One ingest process. It owns the slots whose leases it has taken."""

    def __init__(
        self,
        backplane: Backplane,
        hands: Hands,
        *,
        name: str,
        store: Store | None = None,
        exchange: Exchange | None = None,
    ) -> None:
        self.hands = hands
        self.exchange = exchange or Exchange(data_slots=range(SLOTS))
        self.leases: dict[int, Lease] = {}
        self._backplane = backplane
        self._name = name
        clock = hands.clock()
        self.feed = Feed(backplane.bus, self, clock=clock, outbox_bound=4)
        self.holding = Holding(
            backplane.demand,
            backplane.bus,
            Listed(*INDICES, OPTION),
            store or Store(),
            self.feed,
            self.exchange,
            slots=lambda: sorted(self.leases),
            always=[],
            periods=PERIODS,
            clock=clock,
        )

    def fence_of(self, slot: int) -> Fence | None:
        lease = self.leases.get(slot)
        return Fence(lease.name, lease.token) if lease is not None else None

    async def take(self, *slots: int) -> None:
        for slot in slots:
            lease = await self._backplane.leases.acquire(f"slot:{slot}", self._name, life_s=1000)
            assert lease is not None
            self.leases[slot] = lease

    async def give(self, *slots: int) -> None:
        for slot in slots:
            await self._backplane.leases.release(self.leases.pop(slot))

    def hears(self, instrument: Instrument, price: float = 1.5) -> None:
        """The exchange says something on every slot of this process that holds the channel."""
        name = instrument.name
        index = instrument.kind is Kind.INDEX
        channel = f"deribit_price_index.{name}" if index else f"ticker.{name}.100ms"
        data: dict[str, object] = {"index_name": name, "price": price, "timestamp": self.hands.now_ms}
        told = msgspec.Raw(msgspec.json.encode(data if index else ticker_of(instrument, self.hands.now_ms, price)))
        for slot, held in self.exchange.held.items():
            if channel in held and slot in self.leases:
                self.feed.hear(Heard(slot, channel, told, self.hands.now_us))


class World:
    """Processes on one backplane."""

    def __init__(self) -> None:
        self.hands = Hands()
        self.backplane = memory_backplane(self.hands.clock(), log_capacity=1000, log_hard_capacity=2000)
        self.processes: list[Process] = []

    def process(self, store: Store | None = None) -> Process:
        self.processes.append(Process(self.backplane, self.hands, name=f"p{len(self.processes)}", store=store))
        return self.processes[-1]

    async def want(self, *tickers: str) -> None:
        await self.backplane.demand.want("readers", tickers, life_s=1e6)
        await self.settle()

    async def settle(self) -> None:
        for process in self.processes:
            await process.holding.settle()

    async def say(self, *instruments: Instrument, price: float = 1.5) -> None:
        """A second passes, and the exchange sends news of these."""
        self.hands.forward(1)
        for process in self.processes:
            for instrument in instruments:
                process.hears(instrument, price)
            await process.feed.publish_outbox()

    async def told(self, ticker: str) -> list[Tick | Status | Gap]:
        """Everything that was published of a ticker."""
        head = await self.backplane.bus.head()
        said = await self.backplane.bus.since(Position(head.epoch, 0), head.seq, 10_000)
        read: dict[PublicationKind, Callable[[bytes], Tick | Status | Gap]] = {
            PublicationKind.TICK: decode_tick,
            PublicationKind.STATUS: decode_status,
            PublicationKind.GAP: decode_gap,
        }
        return [read[each.kind](each.payload) for each in said if each.ticker == ticker]


def shown(words: Collection[Tick | Status | Gap]) -> list[str]:
    return [
        f"{word.state}:{word.reason}"
        if isinstance(word, Status)
        else f"gap:{word.cause}"
        if isinstance(word, Gap)
        else "tick"
        for word in words
    ]


def channels_of(process: Process) -> list[str]:
    return sorted(name for slot in process.leases for name in process.exchange.held.get(slot, ()))


async def test_each_ticker_is_heard_by_one_process_alone() -> None:
    """However many processes: a channel is held once, where everybody computes it to be; what the exchange says of
    itself is heard by all of them.
    """
    world = World()
    first, second = world.process(), world.process()
    await first.take(0, 1)
    await second.take(2, 3)
    await world.want(*(index.name for index in INDICES))
    held = [channels_of(process) for process in world.processes]
    platform = set(PLATFORM_CHANNELS.values())
    assert all(platform <= set(names) for names in held)
    of_tickers = [set(names) - platform for names in held]
    assert of_tickers[0] & of_tickers[1] == set()
    assert of_tickers[0] | of_tickers[1] == {f"deribit_price_index.{index.name}" for index in INDICES}
    await world.say(*INDICES)
    for index in INDICES:
        assert shown(await world.told(index.name)) == ["tick", "live:None"]
    assert first.holding.watched | second.holding.watched == {index.name for index in INDICES}


async def test_a_ticker_that_goes_to_another_process_is_down_until_it_is_heard_there() -> None:
    """Takeover: no second voice, a status while nobody hears, one gap from the last tick to the first new one."""
    world = World()
    first, second = world.process(), world.process()
    await first.take(*range(SLOTS))
    await world.want("btc_usd")
    await world.say(INDEX)
    last_ms = world.hands.now_ms
    slot = slot_of("btc_usd", range(SLOTS))
    await first.give(slot)
    await second.take(slot)
    await world.settle()
    await world.say()
    await world.say(INDEX)
    told = await world.told("btc_usd")
    assert shown(told) == ["tick", "live:None", "down:takeover", "gap:disconnect", "tick", "live:heard"]
    assert told[3] == Gap("btc_usd", last_ms, world.hands.now_ms, GapCause.DISCONNECT)
    assert "btc_usd" not in first.feed.watches


async def test_what_was_heard_under_a_lost_lease_is_not_told_and_not_forgotten_as_heard() -> None:
    """A slower owner's words are refused, and his picture with them: when he has the slot again, it is a gap."""
    world = World()
    first, second = world.process(), world.process()
    await first.take(*range(SLOTS))
    await world.want("btc_usd")
    await world.say(INDEX)
    slot = slot_of("btc_usd", range(SLOTS))
    stale = first.leases[slot]
    await world.backplane.leases.release(stale)
    await second.take(slot)
    await world.say(INDEX)
    assert first.feed.counts.unowned > 0
    assert "btc_usd" not in first.feed.watches
    await second.give(slot)
    del first.leases[slot]
    await first.take(slot)
    await world.settle()
    await world.say(INDEX)
    told = await world.told("btc_usd")
    assert [word for word in shown(told) if word.startswith("gap")] == ["gap:disconnect"]
    ticks = [word for word in told if isinstance(word, Tick)]
    [gap] = [word for word in told if isinstance(word, Gap)]
    assert (gap.from_ms, gap.to_ms) == (ticks[-2].timestamp_ms, ticks[-1].timestamp_ms)


async def test_a_process_without_slots_holds_nothing() -> None:
    """It neither listens nor speaks, and asks nobody for what it would need."""
    world = World()
    idle = world.process(Store(away=True))
    await world.want("btc_usd")
    assert idle.holding.watched == frozenset()
    assert idle.exchange.held == {}


@pytest.mark.parametrize(("reason", "cause"), [("not_subscribed", "not_subscribed"), ("heard", "restart")])
async def test_after_a_restart_the_gap_begins_at_what_was_stored(reason: str, cause: str) -> None:
    """From the last stored tick to the first new one, with the cause that the last stored status tells."""
    world = World()
    stored = tick_at(INDEX, world.hands.now_ms - 60_000)
    status = Status("btc_usd", FeedState.UNKNOWN, stored.timestamp_ms, 0, reason)
    process = world.process(Store({"btc_usd": stored}, {"btc_usd": status}))
    await process.take(*range(SLOTS))
    await world.want("btc_usd")
    _, pictures = await world.backplane.bus.pictures(["btc_usd"])
    assert pictures["btc_usd"].remembered is not None
    await world.say(INDEX)
    told = await world.told("btc_usd")
    assert shown(told) == [f"gap:{cause}", "tick", "live:heard"]
    assert isinstance(told[0], Gap)
    assert told[0].from_ms == stored.timestamp_ms


async def test_a_store_that_is_away_is_waited_for() -> None:
    """Without what was stored, the gap could not be told: nothing is held until it can."""
    world = World()
    store = Store({"btc_usd": tick_at(INDEX, world.hands.now_ms - 60_000)}, away=True)
    process = world.process(store)
    await process.take(*range(SLOTS))
    await world.want("btc_usd")
    assert process.holding.watched == frozenset()
    store.away = False
    await world.settle()
    await world.say(INDEX)
    assert shown(await world.told("btc_usd"))[0] == "gap:restart"


async def test_a_loss_leaves_the_channels_desired_and_ends_in_a_gap() -> None:
    """The session comes back by itself; what is told of it is down, then the gap."""
    world = World()
    process = world.process()
    await process.take(*range(SLOTS))
    await world.want("btc_usd", OPTION.name)
    await world.say(INDEX, OPTION)
    slot = slot_of("btc_usd", range(SLOTS))
    process.feed.hear(Lost(slot, ("deribit_price_index.btc_usd", "deribit_price_index.never_held"), "gone"))
    await world.say(OPTION, price=2)
    await world.say(INDEX)
    assert shown(await world.told("btc_usd"))[2:] == ["down:disconnect", "gap:disconnect", "tick", "live:heard"]
    assert shown(await world.told(OPTION.name)) == ["tick", "live:None", "tick"]


async def test_a_bus_that_does_not_keep_up_costs_the_older_tick_and_tells_it() -> None:
    """Beyond the bound the newer tick stays, and the gap spans what was given up: nothing is lost silently."""
    world = World()
    process = world.process()
    await process.take(*range(SLOTS))
    await world.want("btc_usd")
    await world.say(INDEX)
    first_ms = world.hands.now_ms
    for _ in range(20):
        world.hands.forward(1)
        process.hears(INDEX)
    await process.feed.publish_outbox()
    told = await world.told("btc_usd")
    ticks = [word.timestamp_ms for word in told if isinstance(word, Tick)]
    [gap] = [word for word in told if isinstance(word, Gap)]
    assert ticks[0] == first_ms
    assert ticks[-1] == world.hands.now_ms == gap.to_ms
    assert gap.cause is GapCause.BUS
    assert gap.from_ms == ticks[-2]
    assert all(
        after - before == 1000 or (before, after) == (gap.from_ms, gap.to_ms) for before, after in pairwise(ticks)
    )
    await world.say(INDEX)
    assert shown(await world.told("btc_usd"))[-1] == "tick"


@dataclass
class Late(Exchange):
    """An exchange during whose answer something happens."""

    meanwhile: Callable[[], None] = lambda: None

    async def request(self, method: str, params: dict[str, object], *, timeout_s: float) -> bytes:
        self.meanwhile()
        return await super().request(method, params, timeout_s=timeout_s)


@pytest.mark.parametrize("broken_again", [False, True])
async def test_an_answer_proves_nothing_of_a_channel_that_was_lost_meanwhile(broken_again: bool) -> None:
    """Unchanged and held since the question: live again without a gap. Lost in between: what changed is not known."""
    world = World()
    exchange = Late(data_slots=range(SLOTS))
    process = Process(world.backplane, world.hands, name="late", exchange=exchange)
    world.processes = [process]
    await process.take(*range(SLOTS))
    await world.want(OPTION.name)
    [channel] = [name for name in channels_of(process) if name.startswith("ticker.")]
    slot = slot_of(OPTION.name, range(SLOTS))
    process.feed.hear(Held(slot, (channel,)))
    await world.say(OPTION)
    answer = msgspec.json.encode(ticker_of(OPTION, world.hands.now_ms))
    process.feed.hear(Lost(slot, (channel,), "gone"))
    process.feed.hear(Held(slot, (channel,)))
    world.hands.forward(31)
    exchange.answers[OPTION.name] = answer
    if broken_again:
        exchange.meanwhile = lambda: process.feed.hear(Lost(slot, (channel,), "gone again"))
    await process.holding.ask_all(process.feed.check_silence())
    await world.say(OPTION, price=2)
    told = shown(await world.told(OPTION.name))[3:]
    assert told == (["gap:disconnect", "tick", "live:heard"] if broken_again else ["live:unchanged", "tick"])


async def test_a_channel_that_is_subscribed_anew_was_not_held() -> None:
    """Stale after maintenance, nothing known to be missed: resting for a round is a gap of its own."""
    world = World()
    process = world.process()
    await process.take(*range(SLOTS))
    await world.want("btc_usd")
    await world.say(INDEX)
    for begins in (True, False):
        data = msgspec.Raw(msgspec.json.encode({"maintenance": begins}))
        process.feed.hear(Heard(0, "platform_state", data, world.hands.now_us))
    process.holding.look(late_s=0.0)
    await world.settle()
    assert "deribit_price_index.btc_usd" not in channels_of(process)
    await world.settle()
    assert "deribit_price_index.btc_usd" in channels_of(process)
    await world.say(INDEX)
    assert shown(await world.told("btc_usd"))[-3:] == ["gap:not_subscribed", "tick", "live:heard"]
