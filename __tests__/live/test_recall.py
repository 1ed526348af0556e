"""A snapshot tells the last tick that the gateway knows, also when it was heard before this epoch."""

import asyncio
import json
from decimal import Decimal

from cryptomarket.backplane.bus import Fence, Outgoing
from cryptomarket.backplane.memory import MemoryBus
from cryptomarket.clock import Clock
from cryptomarket.errors import DatabaseUnavailable
from cryptomarket.live.hub import Hub
from cryptomarket.live.recall import Recall
from cryptomarket.market.instruments import Kind
from cryptomarket.market.ticks import Tick
from cryptomarket.market.wire import PublicationKind, encode_tick

OLD = Tick("btc_usd", "btc_usd", Kind.INDEX, Decimal("85500.1"), 1000, 2_000_000, 2_000_001)
CLOCK = Clock(lambda: 1.0, lambda: 5_000_000)


class Store:
    """Keeps one tick, and counts how often it was asked."""

    def __init__(self, kept: Tick | None, *, away: bool = False) -> None:
        self.kept, self.away, self.asked = kept, away, 0

    async def last_tick(self, ticker: str) -> Tick | None:
        self.asked += 1
        if self.away:
            raise DatabaseUnavailable("away")
        return self.kept if self.kept is not None and self.kept.ticker == ticker else None


async def _world() -> tuple[MemoryBus, Hub]:
    bus = MemoryBus("e", is_newest=lambda _name, _token: True)
    return bus, Hub(await bus.head(), CLOCK)


def _told(hub: Hub, ticker: str = "btc_usd") -> dict[str, object]:
    frame = hub.snapshot(ticker).decode()
    told = json.loads(frame.split("data: ", 1)[1])
    assert isinstance(told, dict)
    return told


async def test_the_stored_tick_is_told_without_a_place_in_this_order() -> None:
    """Promise: the last known tick; its seq is none of this epoch, and its feed is unknown until it is heard."""
    bus, hub = await _world()
    await Recall(hub, bus, Store(OLD))(["btc_usd"])
    told = _told(hub)
    assert (told["price"], told["timestamp"], told["seq"], told["last_seq"]) == (85500.1, 1000, None, None)
    assert (told["state"], told["age_ms"]) == ("unknown", 3000)


async def test_what_the_bus_remembers_needs_no_store() -> None:
    """Promise: the store is asked only for what nobody else knows, and once."""
    bus, hub = await _world()
    await bus.remember("btc_usd", encode_tick(OLD, published_us=1))
    store = Store(None)
    recall = Recall(hub, bus, store)
    await recall(["btc_usd"])
    assert store.asked == 0
    assert _told(hub)["price"] == 85500.1
    await recall(["btc_usd"])
    assert store.asked == 0


async def test_a_crowd_asks_once_and_nobody_asks_soon_again() -> None:
    """Promise: a thousand streams that open together cost one question, and one more after a while."""
    bus, hub = await _world()
    store, now_s = Store(None), [100.0]
    recall = Recall(hub, bus, store, monotonic_s=lambda: now_s[0])
    await asyncio.gather(*(recall(["btc_usd"]) for _ in range(50)))
    assert store.asked == 1
    await recall(["btc_usd"])
    assert store.asked == 1
    now_s[0] += 5
    store.kept = OLD
    await recall(["btc_usd", "eth_usd"])
    assert store.asked == 3
    assert _told(hub)["price"] == 85500.1


async def test_one_who_leaves_takes_nothing_from_the_others() -> None:
    """Promise: whoever asked first may be gone before the answer; who waits with him gets it."""
    bus, hub = await _world()
    recall = Recall(hub, bus, Store(OLD))
    first = asyncio.create_task(recall(["btc_usd"]))
    second = asyncio.create_task(recall(["btc_usd"]))
    await asyncio.sleep(0)  # sleep: both have asked
    first.cancel()
    async with asyncio.timeout(10):
        await second
    assert _told(hub)["price"] == 85500.1


async def test_a_tick_of_this_epoch_is_never_replaced() -> None:
    """Promise: what was heard since wins over what is stored."""
    bus, hub = await _world()
    new = Tick("btc_usd", "btc_usd", Kind.INDEX, Decimal(90000), 2000, 3_000_000)
    payload = encode_tick(new, published_us=3_000_001)
    hub.broadcast(await bus.publish([Outgoing(PublicationKind.TICK, "btc_usd", payload)], Fence("slot:0", 1)))
    store = Store(OLD)
    await Recall(hub, bus, store)(["btc_usd"])
    assert store.asked == 0
    assert _told(hub)["price"] == 90000


async def test_a_database_that_is_away_costs_a_price_and_no_stream() -> None:
    """Promise: the snapshot says that nothing is known, and the stream opens."""
    bus, hub = await _world()
    await Recall(hub, bus, Store(OLD, away=True))(["btc_usd"])
    assert _told(hub)["price"] is None
