"""Saved sets in a real database."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from __tests__.live.world import EPOCH, START_MS
from cryptomarket.db import Database
from cryptomarket.errors import Impossible
from cryptomarket.live.follow import SavedSet, SavedTicker
from cryptomarket.live.repository import SavedSetRepository, SavedSince
from cryptomarket.market.position import Position
from cryptomarket.market.wire import Change, Publication, PublicationKind, SetChange


@pytest.fixture
async def repository(store_url: str) -> AsyncIterator[SavedSetRepository]:
    database = Database(store_url)
    try:
        yield SavedSetRepository(database, tickers_limit=3)
    finally:
        await database.close()


def placed_at(seq: int) -> Publication:
    return Publication(Position(EPOCH, seq), PublicationKind.SET_CHANGE, "", None, b"{}", "u")


async def added(repository: SavedSetRepository, ticker: str, user: str = "u", now_ms: int = START_MS) -> SetChange:
    told = await repository.add(user, ticker, now_ms)
    assert told.change is not None
    return told.change


async def test_a_set_is_kept_with_since_when_and_where(repository: SavedSetRepository) -> None:
    """It survives reconnects: the tickers by name, and the position of each one's subscription."""
    assert await repository.saved_set("u") == SavedSet([], 0)
    first = await added(repository, "eth_usd")
    assert first == SetChange("u", Change.SUBSCRIBED, "eth_usd", ("eth_usd",), 1)
    await repository.placed(placed_at(7), first)
    second = await added(repository, "btc_usd", now_ms=START_MS + 5)
    assert second.tickers == ("btc_usd", "eth_usd")
    assert await repository.saved_set("u") == SavedSet(
        [SavedTicker("btc_usd", None), SavedTicker("eth_usd", Position(EPOCH, 7))], second.version
    )
    assert await repository.tickers("u") == [SavedSince("btc_usd", START_MS + 5), SavedSince("eth_usd", START_MS)]
    assert await repository.tickers("v") == []


async def test_a_ticker_is_added_once(repository: SavedSetRepository) -> None:
    """The second time changes nothing, and publishes nothing once it was published."""
    change = await added(repository, "btc_usd")
    await repository.placed(placed_at(3), change)
    again = await repository.add("u", "btc_usd", START_MS + 1)
    assert (again.created, again.change) == (False, None)
    assert await repository.tickers("u") == [SavedSince("btc_usd", START_MS)]


async def test_what_was_kept_and_never_published_is_published_by_the_next_try(repository: SavedSetRepository) -> None:
    """A bus that was away between keeping and publishing leaves nobody without his ticker."""
    await added(repository, "btc_usd")
    again = await repository.add("u", "btc_usd", START_MS + 1)
    assert not again.created
    assert again.change == SetChange("u", Change.SUBSCRIBED, "btc_usd", ("btc_usd",), 2)


async def test_a_set_is_bounded(repository: SavedSetRepository) -> None:
    """422 beyond; a refused change changes nothing, not even the version."""
    for ticker in ("a_usd", "b_usd", "c_usd"):
        await added(repository, ticker)
    before = await repository.saved_set("u")
    with pytest.raises(Impossible, match="at most 3"):
        await repository.add("u", "d_usd", START_MS)
    assert await repository.saved_set("u") == before
    await added(repository, "d_usd", user="v")


async def test_removing_tells_each_that_was_there(repository: SavedSetRepository) -> None:
    """One change for each, with growing versions and the set as it was after it."""
    for ticker in ("a_usd", "b_usd", "c_usd"):
        await added(repository, ticker)
    changes = await repository.remove("u", ["b_usd", "z_usd"], START_MS)
    assert [(change.ticker, change.tickers, change.version) for change in changes] == [("b_usd", ("a_usd", "c_usd"), 4)]
    changes = await repository.remove("u", None, START_MS)
    assert [(change.ticker, change.tickers, change.version) for change in changes] == [
        ("a_usd", ("c_usd",), 5), ("c_usd", (), 6),
    ]  # fmt: skip
    assert await repository.saved_set("u") == SavedSet([], 6)
    assert await repository.remove("u", None, START_MS) == []
    assert (await added(repository, "a_usd")).version > 6


async def test_versions_of_one_set_never_repeat(repository: SavedSetRepository) -> None:
    """Changes that are made at the same time take turns; each has a version of its own."""
    changes = await asyncio.gather(*(added(repository, ticker) for ticker in ("a_usd", "b_usd", "c_usd")))
    assert sorted(change.version for change in changes) == [1, 2, 3]
    last = max(changes, key=lambda change: change.version)
    assert last.tickers == ("a_usd", "b_usd", "c_usd")


async def test_a_position_is_noted_once(repository: SavedSetRepository) -> None:
    """The first publication of a subscription is where it begins; one taken out has no place any more."""
    change = await added(repository, "btc_usd")
    await repository.placed(placed_at(3), change)
    await repository.placed(placed_at(9), change)
    assert (await repository.saved_set("u")).tickers == [SavedTicker("btc_usd", Position(EPOCH, 3))]
    await repository.remove("u", None, START_MS)
    await repository.placed(placed_at(10), change)
    await added(repository, "btc_usd")
    assert (await repository.saved_set("u")).tickers == [SavedTicker("btc_usd", None)]


async def test_demand_is_of_users_who_were_seen_lately(repository: SavedSetRepository) -> None:
    """An older set stays saved but stops counting, until its user comes back."""
    await added(repository, "btc_usd", user="old", now_ms=START_MS)
    await added(repository, "eth_usd", user="new", now_ms=START_MS + 1000)
    await added(repository, "btc_usd", user="new", now_ms=START_MS + 1000)
    assert await repository.demanded(START_MS) == {"btc_usd", "eth_usd"}
    await repository.remove("new", ["btc_usd"], START_MS + 1000)
    assert await repository.demanded(START_MS + 1) == {"eth_usd"}
    await repository.seen(["old", "nobody"], START_MS + 2000)
    assert await repository.demanded(START_MS + 1500) == {"btc_usd"}
    assert await repository.count() == 2


async def test_being_seen_keeps_the_version(repository: SavedSetRepository) -> None:
    """A version that went back would make streams deaf to changes."""
    await added(repository, "btc_usd")
    await repository.seen(["u"], START_MS + 9)
    assert (await repository.saved_set("u")).version == 1
    await repository.seen([], START_MS)


async def test_what_was_never_published_is_found_after_a_while(repository: SavedSetRepository) -> None:
    """Subscriptions whose process ended between keeping and publishing; one that is just being made is left alone."""
    placed = await added(repository, "a_usd")
    await repository.placed(placed_at(3), placed)
    lost = await added(repository, "b_usd")
    await added(repository, "c_usd", now_ms=START_MS + 5000)
    [found] = await repository.unplaced(before_ms=START_MS + 1)
    assert (found.ticker, found.tickers) == ("b_usd", ("a_usd", "b_usd", "c_usd"))
    assert found.version > lost.version
    await repository.placed(placed_at(9), found)
    assert await repository.unplaced(before_ms=START_MS + 1) == []
