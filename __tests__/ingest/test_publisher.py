"""What waits for the bus: bounded in the number of tickers, whatever happens while it is away."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal

import pytest

from __tests__.backplane.outage import LeavingBus
from __tests__.ingest.house import INDEX, OPTION, tick_at
from __tests__.ingest.test_outage import World
from __tests__.live.world import eventually
from cryptomarket.backplane.bus import Fence, Outgoing
from cryptomarket.market.ticks import Gap, Status, Tick
from cryptomarket.market.wire import Publication


class SlowBus(LeavingBus):
    """Takes a batch, and says nothing until it is told to."""

    under_way = 0
    most = 0
    goes_on: asyncio.Event

    async def publish(self, batch: Sequence[Outgoing], fence: Fence) -> list[Publication]:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await self.goes_on.wait()
        self.under_way -= 1
        return await super().publish(batch, fence)


@pytest.mark.parametrize("window", [1, 3])
async def test_as_many_batches_are_under_way_as_the_bus_has_use_for(
    monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    """Promise: what waits is published without waiting for each answer, in order, and never with more under way."""
    monkeypatch.setattr("cryptomarket.ingest.publisher.BATCH_WORDS", 2)
    world = World(window=window, bus_of=SlowBus)
    bus = world.bus
    assert isinstance(bus, SlowBus)
    bus.goes_on = asyncio.Event()
    await world.begin()
    for price in range(1, 11):
        world.hears(INDEX, price)
    publishing = asyncio.create_task(world.feed.publish_outbox())
    await eventually(lambda: bus.under_way == window)
    for _ in range(10):
        await asyncio.sleep(0)  # sleep: whatever would begin by itself has begun
    assert bus.under_way == window
    bus.goes_on.set()
    assert await publishing
    assert bus.most == window
    prices = [word.price for word in await world.told(INDEX) if isinstance(word, Tick)]
    assert prices == [Decimal(price) for price in range(1, 11)]


async def test_what_is_given_up_lies_behind_what_another_life_has_heard() -> None:
    """Promise: where too much waits, the first new tick after a start is not missed without a gap either."""
    world = World(outbox_bound=1)
    await world.begin()
    watch = world.feed.watches[OPTION.name]
    # As after its unchanged word: live, and nothing of it waits here.
    watch.last, watch.cause = tick_at(OPTION, world.hands.now_ms), None
    for price in (2, 3):
        world.hears(OPTION, price)
    assert await world.feed.publish_outbox()
    told = [word for word in await world.told(OPTION) if not isinstance(word, Status)]
    assert [type(word) for word in told] == [Gap, Tick]
    gap, tick = told
    assert isinstance(gap, Gap)
    assert isinstance(tick, Tick)
    assert (gap.from_ms, gap.to_ms) == (watch.last.timestamp_ms - 2000, tick.timestamp_ms)


async def test_nothing_piles_up_while_the_bus_is_away() -> None:
    """Promise: an outage of any length costs one tick per ticker, and one gap."""
    world = World()
    await world.begin()
    world.hears(INDEX, 1)
    assert await world.feed.publish_outbox()
    world.outage.begin()
    for price in range(500):
        world.hears(INDEX, price)
        world.hears(OPTION, price)
        if price % 50 == 0:
            assert not await world.feed.publish_outbox()
    assert world.feed.counts.unsaid > 900
    published = world.feed.counts.published
    world.outage.end()
    assert await world.feed.publish_outbox()
    # The index: its gap and its tick. The option, of which nothing was ever said: the same, and that it is live.
    assert world.feed.counts.published == published + 5
