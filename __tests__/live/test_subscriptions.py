"""Changing saved sets, and what they demand of the exchange."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from __tests__.fresh_store import fresh_store
from __tests__.live.world import START_MS, House, Names, eventually, tick
from cryptomarket.backplane.memory import MemoryDemand
from cryptomarket.db import Database
from cryptomarket.errors import BusUnavailable, NotFound, UnknownTicker
from cryptomarket.live.follow import Opener
from cryptomarket.live.repository import SavedSetRepository
from cryptomarket.live.subscriptions import Subscriptions, Wants
from cryptomarket.market.wire import Publication


class Lived(House):
    """A house whose saved sets are in a real database."""

    repository: SavedSetRepository
    subscriptions: Subscriptions


@pytest.fixture
async def lived(tmp_path: Path) -> AsyncIterator[Lived]:
    database = Database(await fresh_store(tmp_path / "live.sqlite3"))
    built = Lived()
    built.repository = SavedSetRepository(database, tickers_limit=200)
    built.subscriptions = Subscriptions(built.repository, built.bus, Names(), built.hands.clock())
    built.openers = [Opener(built.hub, built.bus, built.repository, ahead_s=1.0)]
    await built.begin()
    try:
        yield built
    finally:
        await built.end()
        await database.close()


async def test_subscribing_is_kept_then_published_to_open_streams(lived: Lived) -> None:
    """Told at once, by the exchange's spelling; the second time nothing happens."""
    reader = await lived.opened()
    await reader.until_named("connected")
    assert await lived.subscriptions.subscribe("u", "btc-perpetual") == ("BTC-PERPETUAL", True)
    await reader.until_named("snapshot")
    assert reader.named("subscribed")[0].data["tickers"] == ["BTC-PERPETUAL"]
    assert await lived.subscriptions.subscribe("u", "Btc-Perpetual") == ("BTC-PERPETUAL", False)
    assert (await lived.bus.head()).seq == 1
    saved = await lived.repository.saved_set("u")
    assert saved.tickers[0].since == await lived.bus.head()
    assert [each.ticker for each in await lived.subscriptions.tickers("u")] == ["BTC-PERPETUAL"]


async def test_cancelling_names_what_was_there(lived: Lived) -> None:
    """In any case; what is not in the set, known or not, is a 404 that changes nothing."""
    await lived.subscriptions.subscribe("u", "BTC-PERPETUAL")
    for name in ("eth_usd", "no-such-thing"):
        with pytest.raises(NotFound, match=name):
            await lived.subscriptions.cancel("u", name)
    reader = await lived.opened()
    assert await lived.subscriptions.cancel("u", "btc-PERPETUAL") == "BTC-PERPETUAL"
    await reader.until_named("unsubscribed")
    with pytest.raises(NotFound):
        await lived.subscriptions.cancel("u", "BTC-PERPETUAL")
    assert (await lived.bus.head()).seq == 2


async def test_cancelling_all_tells_each(lived: Lived) -> None:
    """One `unsubscribed` for each, with what is left."""
    for name in ("btc_usd", "eth_usd"):
        await lived.subscriptions.subscribe("u", name)
    reader = await lived.opened()
    assert await lived.subscriptions.cancel_all("u") == ["btc_usd", "eth_usd"]
    await reader.until_named("unsubscribed", 2)
    assert [event.data["tickers"] for event in reader.named("unsubscribed")] == [["eth_usd"], []]
    assert await lived.subscriptions.cancel_all("u") == []


async def test_an_unknown_ticker_is_named_with_its_neighbours(lived: Lived) -> None:
    """404 with the nearest known ones; nothing is kept."""
    with pytest.raises(UnknownTicker, match="Did you mean") as caught:
        await lived.subscriptions.subscribe("u", "btc_usdd")
    assert "btc_usd" in caught.value.nearest
    assert await lived.subscriptions.tickers("u") == []


async def test_streams_hear_changes_in_the_order_in_which_they_were_kept(lived: Lived) -> None:
    """However many ask at once: each stream ends with the set that is saved."""
    reader = await lived.opened()
    names = ("btc_usd", "eth_usd", "BTC-PERPETUAL")
    await asyncio.gather(*(lived.subscriptions.subscribe("u", name) for name in names))
    await asyncio.gather(*(lived.subscriptions.cancel("u", name) for name in names[:2]))
    await reader.until_named("unsubscribed", 2)
    assert [event.data["seq"] for event in reader.named("subscribed")] == [1, 2, 3]
    assert reader.seat.tickers == {"BTC-PERPETUAL"}
    assert reader.named("unsubscribed")[-1].data["tickers"] == ["BTC-PERPETUAL"]


async def test_a_stream_resumes_on_a_set_of_the_database(lived: Lived) -> None:
    """The set survives: a ticker subscribed before the id gets every event after it."""
    await lived.subscriptions.subscribe("u", "btc_usd")
    first = await lived.opened()
    await lived.publish(tick("btc_usd"))
    await first.until_seq(2)
    await first.goes()
    await lived.publish(tick("btc_usd", START_MS + 1))
    second = await lived.opened(None, first.last_id)
    await second.until_seq(3)
    assert [event.name for event in second.events] == ["connected", "message"]


async def test_a_bus_that_is_away_is_told_and_the_next_try_heals(lived: Lived, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 after keeping: asking again publishes what was kept."""

    async def away(user_id: str, ticker: str, payload: bytes) -> Publication:
        raise BusUnavailable("The bus is away.")

    with monkeypatch.context() as patched:
        patched.setattr(lived.bus, "publish_change", away)
        with pytest.raises(BusUnavailable):
            await lived.subscriptions.subscribe("u", "btc_usd")
    reader = await lived.opened([])
    assert await lived.subscriptions.subscribe("u", "btc_usd") == ("btc_usd", False)
    saved = await lived.repository.saved_set("u")
    assert saved.tickers[0].since == await lived.bus.head()
    await reader.goes()


def wants_of(lived: Lived, demand: MemoryDemand) -> Wants:
    return Wants(
        demand,
        lived.hub,
        lived.repository,
        lived.subscriptions,
        lived.hands.clock(),
        process="p",
        life_s=30.0,
        saved_life_s=86_400.0,
    )


async def test_open_streams_are_demand_while_they_are_open(lived: Lived) -> None:
    """A thousand readers of a ticker want one ticker; the last to go takes the want with him."""
    demand = MemoryDemand(lived.hands.clock().monotonic_s)
    wants = wants_of(lived, demand)
    lived.running.append(lived.start(wants.run_streams()))
    readers = [await lived.opened(["btc_usd"]) for _ in range(20)]
    wanted: list[frozenset[str]] = []

    async def look() -> None:
        while True:
            wanted.append(await demand.wanted())
            await demand.changed(wait_s=10.0)

    lived.running.append(lived.start(look()))
    await eventually(lambda: wanted[-1:] == [frozenset({"btc_usd"})])
    for reader in readers:
        await reader.goes()
    await eventually(lambda: wanted[-1:] == [frozenset()])


async def test_saved_sets_are_demand_for_a_day_after_their_user_was_seen(lived: Lived) -> None:
    """An open stream counts as being seen; without either, the set stays saved and stops counting."""
    demand = MemoryDemand(lived.hands.clock().monotonic_s)
    wants = wants_of(lived, demand)
    await lived.subscriptions.subscribe("u", "btc_usd")
    await lived.subscriptions.subscribe("v", "eth_usd")
    await wants.say_saved()
    assert await demand.wanted() == {"btc_usd", "eth_usd"}
    reader = await lived.opened([], user="v")
    lived.hands.forward(86_000)
    await wants.say_saved()
    await reader.goes()
    lived.hands.forward(86_000)
    await wants.say_saved()
    assert await demand.wanted() == {"eth_usd"}
    wants.seen("u")
    await wants.say_saved()
    assert await demand.wanted() == {"btc_usd", "eth_usd"}
    lived.hands.forward(30)
    assert await demand.wanted() == frozenset()


async def test_a_change_of_a_set_is_demanded_at_once(lived: Lived) -> None:
    """Not with the next round."""
    demand = MemoryDemand(lived.hands.clock().monotonic_s)
    lived.running.append(lived.start(wants_of(lived, demand).run_saved()))
    changed = asyncio.create_task(demand.changed(wait_s=10.0))
    await lived.subscriptions.subscribe("u", "btc_usd")
    await changed
    async with asyncio.timeout(10):
        while await demand.wanted() != {"btc_usd"}:
            await demand.changed(wait_s=10.0)


async def test_what_was_kept_by_a_process_that_ended_is_published_by_another(lived: Lived) -> None:
    """Without a position, every resume would count the ticker as new."""
    await lived.repository.add("u", "btc_usd", START_MS)
    await lived.subscriptions.publish_unplaced(older_than_ms=5000)
    assert (await lived.bus.head()).seq == 0
    lived.hands.forward(6)
    await lived.subscriptions.publish_unplaced(older_than_ms=5000)
    await lived.subscriptions.publish_unplaced(older_than_ms=5000)
    saved = await lived.repository.saved_set("u")
    assert saved.tickers[0].since == await lived.bus.head()
    assert (await lived.bus.head()).seq == 1
