"""A bus that is away, as streams see it: feeds are down, nothing is made up, and afterwards nothing is missing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from __tests__.backplane.outage import LeavingBus, LeavingDemand, Outage
from __tests__.fresh_store import fresh_store
from __tests__.live.world import EPOCH, FENCE, QUIET, START_MS, House, Names, Reader, eventually, status, tick
from cryptomarket.backoff import Backoff
from cryptomarket.clock import Clock
from cryptomarket.db import Database
from cryptomarket.errors import BusUnavailable
from cryptomarket.live.events import feed_of
from cryptomarket.live.follow import Opener
from cryptomarket.live.relay import Relay
from cryptomarket.live.repository import SavedSetRepository
from cryptomarket.live.seat import Reason
from cryptomarket.live.stream import Mode, StreamLimits
from cryptomarket.live.subscriptions import Subscriptions, Wants
from cryptomarket.market.position import Position
from cryptomarket.market.ticks import FeedState


class Stormy(House):
    """A house whose bus can be taken away."""

    def __init__(self, *, limits: StreamLimits = QUIET) -> None:
        self.outage = Outage()
        self.leaving = LeavingBus(self.outage, epoch=EPOCH)
        super().__init__(bus=self.leaving, limits=limits)
        backoff = Backoff(base_s=0.001, cap_s=0.01, random=lambda: 1.0)
        self.relays = [Relay(self.leaving, hub, backoff=backoff) for hub in self.hubs]


@asynccontextmanager
async def stormy(limits: StreamLimits = QUIET) -> AsyncIterator[Stormy]:
    built = Stormy(limits=limits)
    await built.begin()
    try:
        yield built
    finally:
        await built.end()


def states(reader: Reader) -> list[tuple[str, str, str | None, int | None]]:
    """(ticker, state, reason, seq) of each status that came."""
    return [(e.data["ticker"], e.data["state"], e.data["reason"], e.data["seq"]) for e in reader.named("status")]


@pytest.mark.parametrize("mode", Mode)
async def test_feeds_are_down_while_the_bus_is_away_and_as_they_were_afterwards(mode: Mode) -> None:
    """Promise: what a process finds out by itself it tells without an id and without a seq; what was published
    meanwhile comes in order, and the state of the feed after it.
    """
    async with stormy() as built:
        await built.publish(tick("btc_usd"), status("btc_usd"))
        reader = await built.opened(["btc_usd", "eth_usd"], mode=mode)
        await reader.until_named("snapshot", 2)
        built.outage.begin()
        await reader.until_named("status", 2)
        assert states(reader) == [("btc_usd", "down", "bus", None), ("eth_usd", "down", "bus", None)]
        down = reader.named("status")[0]
        assert (down.id, down.data["prev_seq"], down.data["since_ms"]) == (None, None, START_MS)
        missed = await built.leaving.inner.publish(
            [tick("btc_usd", START_MS + 1), tick("btc_usd", START_MS + 2)], FENCE
        )
        built.outage.end()
        await reader.until_named("status", 4)
        assert states(reader)[2:] == [("btc_usd", "live", "heard", None), ("eth_usd", "unknown", None, None)]
        assert all(event.id is None for event in reader.named("status"))
        if mode is Mode.ALL:
            assert [event.data["seq"] for event in reader.named("message")] == [word.seq for word in missed]
            assert [event.name for event in reader.events][-2:] == ["status", "status"]
        [told] = await built.publish(tick("btc_usd", START_MS + 3))
        await reader.until_seq(told.seq)
        ids = [event.id.seq for event in reader.events if event.id is not None]
        assert ids == sorted(ids)
        await reader.goes()
        again = await built.opened(["btc_usd"], reader.last_id)
        await again.until_named("connected")
        assert again.named("connected")[0].data["resume"] == "complete"


async def test_a_stream_that_opens_meanwhile_is_told_that_nothing_is_heard() -> None:
    """Promise: its snapshots and its keep-alives say `down`, with what was known; afterwards it goes on."""
    limits = StreamLimits(keep_alive_s=0.01)
    async with stormy(limits) as built:
        await built.publish(tick("btc_usd"), status("btc_usd"))
        built.outage.begin()
        await eventually(lambda: feed_of(built.hub.picture("btc_usd"), now_ms=START_MS)[0] is FeedState.DOWN)
        reader = await built.opened(["btc_usd"])
        await reader.until_named("snapshot")
        snapshot = reader.named("snapshot")[0].data
        assert (snapshot["state"], snapshot["seq"], snapshot["last_seq"]) == ("down", 1, 2)
        built.hands.forward(1)
        reader.seat.mailbox.ready.set()
        await reader.until_named("keep_alive")
        assert reader.named("keep_alive")[0].data["feeds"]["btc_usd"]["state"] == "down"
        assert reader.named("keep_alive")[0].id == Position(EPOCH, 2)
        built.outage.end()
        await reader.until_named("status")
        assert states(reader) == [("btc_usd", "live", "heard", None)]
        assert built.hub.picture("btc_usd").last_seq == 2


@pytest.mark.parametrize("mode", Mode)
async def test_feeds_are_down_while_nobody_hears_the_exchange(mode: Mode) -> None:
    """Promise: what a process finds out of the ingest side it tells without an id and a seq, once; afterwards each feed
    is as it is published by who hears it.
    """
    async with stormy() as built:
        await built.publish(tick("btc_usd"), status("btc_usd"), tick("eth_usd"), status("eth_usd"))
        reader = await built.opened(["btc_usd", "eth_usd"], mode=mode)
        await reader.until_named("snapshot", 2)
        assert built.hub.lose_ingest()
        assert not built.hub.lose_ingest()
        await reader.until_named("status", 2)
        assert states(reader) == [("btc_usd", "down", "ingest", None), ("eth_usd", "down", "ingest", None)]
        assert all(event.id is None and event.data["prev_seq"] is None for event in reader.named("status"))
        late = await built.opened(["btc_usd"])
        await late.until_named("snapshot")
        assert late.named("snapshot")[0].data["state"] == "down"
        built.hub.find_ingest([])
        [down] = await built.publish(status("btc_usd", FeedState.DOWN))
        await reader.until_seq(down.seq)
        assert [event.data["seq"] for event in reader.named("status")] == [None, None, down.seq]
        built.hub.find_ingest(["eth_usd"])
        await reader.until_named("status", 4)
        assert states(reader)[3] == ("eth_usd", "live", "heard", None)


async def test_another_epoch_is_a_reset() -> None:
    """Promise: when the order has begun anew, streams end, come back, and are told `reset` and snapshots; no id of the
    former epoch is continued.
    """
    async with stormy() as built:
        await built.publish(tick("btc_usd"), status("btc_usd"))
        reader = await built.opened(["btc_usd"])
        await reader.until_named("snapshot")
        built.outage.begin()
        await reader.until_named("status")
        built.leaving.begin_epoch()
        await built.leaving.inner.publish([tick("btc_usd", START_MS + 5), status("btc_usd", FeedState.STALE)], FENCE)
        built.outage.end()
        await reader.until_ended()
        assert reader.seat.reason is Reason.DRAIN
        again = await built.opened(["btc_usd"], reader.last_id)
        await again.until_named("snapshot")
        assert again.named("connected")[0].data["resume"] == "reset"
        snapshot = again.named("snapshot")[0]
        assert (snapshot.data["timestamp"], snapshot.data["state"]) == (START_MS + 5, "stale")
        assert snapshot.id == Position("epoch2", 2)


async def test_an_epoch_that_ends_between_two_looks_is_noticed() -> None:
    """Promise: a hub never goes on in another order as if it were its own."""
    async with stormy() as built:
        await built.publish(tick("btc_usd"))
        built.leaving.begin_epoch()
        built.outage.begin()
        await eventually(lambda: built.outage.refusals > 2)
        built.outage.end()
        await eventually(lambda: built.hub.position.epoch == "epoch2")
        assert built.hub.position == Position("epoch2", 0)


class Kept(Stormy):
    """A stormy house whose saved sets are in a real database, with somebody who looks after them."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.repository = SavedSetRepository(database, tickers_limit=200)
        self.subscriptions = Subscriptions(self.repository, self.leaving, Names(), self.hands.clock())
        self.openers = [Opener(self.hub, self.leaving, self.repository, ahead_s=1.0)]
        self.demand = LeavingDemand(self.outage, self.hands.clock().monotonic_s)
        clock = Clock(self.hands.clock().monotonic_s, self.hands.clock().wall_us)
        self.wants = Wants(
            self.demand,
            self.hub,
            self.repository,
            self.subscriptions,
            clock,
            process="p",
            life_s=0.03,
            saved_life_s=86_400.0,
        )


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    database = Database(await fresh_store(tmp_path / "live.sqlite3"))
    built = Kept(database)
    await built.begin()
    try:
        yield built
    finally:
        await built.end()
        await database.close()


async def test_a_cancelled_ticker_that_nobody_heard_of_leaves_open_streams(kept: Kept) -> None:
    """Promise: desired state: a change that was kept while the bus was away reaches every stream when it is back."""
    await kept.subscriptions.subscribe("u", "btc_usd")
    await kept.subscriptions.subscribe("u", "eth_usd")
    reader, other = await kept.opened(), await kept.opened(user="v")
    await reader.until_named("snapshot", 2)
    running = [kept.start(kept.wants.run_saved()), kept.start(kept.wants.run_streams())]
    kept.outage.begin()
    await reader.until_named("status", 2)
    with pytest.raises(BusUnavailable):
        await kept.subscriptions.cancel("u", "btc_usd")
    with pytest.raises(BusUnavailable):
        await kept.subscriptions.subscribe("v", "BTC-PERPETUAL")
    kept.outage.end()
    await reader.until_named("unsubscribed")
    [told] = reader.named("unsubscribed")
    assert (told.data, told.id) == ({"ticker": "btc_usd", "tickers": ["eth_usd"], "seq": None}, None)
    await other.until_named("snapshot")
    assert other.named("subscribed")[0].data["tickers"] == ["BTC-PERPETUAL"]
    [word] = await kept.publish(tick("btc_usd"))
    [later] = await kept.publish(tick("eth_usd"))
    await reader.until_seq(later.seq)
    assert word.seq not in reader.seqs
    assert await kept.subscriptions.subscribe("u", "btc_usd") == ("btc_usd", True)
    await reader.until_named("subscribed")
    assert not any(task.done() for task in running)


async def test_a_change_that_is_just_being_published_is_left_alone(kept: Kept) -> None:
    """Promise: who keeps up is told by the bus, in order and with a seq; only what stays behind is made up for."""
    await kept.subscriptions.subscribe("u", "btc_usd")
    reader = await kept.opened()
    await reader.until_named("snapshot")
    await kept.repository.add("u", "eth_usd", START_MS)
    running = kept.start(kept.wants.run_saved())
    await eventually(lambda: kept.outage.refusals == 0 and not running.done())
    for _ in range(3):
        await kept.wants.look_after_streams()
    assert reader.named("subscribed") == []
    kept.hands.forward(6)
    await reader.until_named("subscribed")
    assert reader.seat.tickers == {"btc_usd", "eth_usd"}


async def test_what_streams_want_is_said_when_the_bus_is_back(kept: Kept) -> None:
    """Promise: a want that could not be said is said anew, and nothing crashes in between."""
    running = kept.start(kept.wants.run_streams())
    kept.outage.begin()
    await eventually(lambda: kept.outage.refusals > 3)
    await kept.opened(["btc_usd"])
    kept.outage.end()
    await eventually(lambda: "btc_usd" in kept.hub.tickers)
    wanted: list[frozenset[str]] = []

    async def look() -> None:
        while True:
            wanted.append(await kept.demand.wanted())
            await kept.demand.changed(wait_s=0.01)

    looking = kept.start(look())
    await eventually(lambda: wanted[-1:] == [frozenset({"btc_usd"})])
    assert not running.done()
    assert not looking.done()
