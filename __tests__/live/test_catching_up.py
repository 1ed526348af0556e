"""Streams are brought to their sets as they are kept, and only where they stay behind."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from __tests__.fresh_store import fresh_store
from __tests__.live.world import EPOCH, START_MS, Hands
from cryptomarket.db import Database
from cryptomarket.live.catching_up import CatchingUp
from cryptomarket.live.hub import Hub
from cryptomarket.live.mailbox import LogMailbox
from cryptomarket.live.repository import SavedSetRepository
from cryptomarket.live.seat import Seat
from cryptomarket.market.position import Position


@pytest.fixture
async def repository(tmp_path: Path) -> AsyncIterator[SavedSetRepository]:
    database = Database(await fresh_store(tmp_path / "live.sqlite3"))
    yield SavedSetRepository(database, tickers_limit=200)
    await database.close()


def seat_of(hub: Hub, user_id: str, *tickers: str, version: int) -> Seat:
    seat = Seat(LogMailbox(100_000), user_id, follows_set=True)
    hub.admit(seat)
    hub.place(seat, tickers, version)
    return seat


async def test_a_stream_that_stays_behind_is_caught_up_and_one_that_keeps_up_is_not(
    repository: SavedSetRepository,
) -> None:
    """Promise: after the patience, or at once when the bus has just come back; nobody else is touched."""
    hands = Hands()
    hub = Hub(Position(EPOCH, 7), hands.clock())
    catching_up = CatchingUp(hub, repository, hands.clock(), patience_s=5.0)
    await repository.add("u", "btc_usd", START_MS)
    await repository.add("v", "btc_usd", START_MS)
    behind, level = seat_of(hub, "u", version=0), seat_of(hub, "v", "btc_usd", version=1)
    stranger = seat_of(hub, "nobody", version=0)
    await catching_up.look()
    hands.forward(4)
    await catching_up.look()
    assert behind.tickers == set()
    hands.forward(2)
    await catching_up.look()
    assert (behind.tickers, behind.version) == ({"btc_usd"}, 1)
    assert len(behind.mailbox.take()) == 1
    await repository.remove("u", None, START_MS)
    catching_up.at_once = True
    await catching_up.look()
    assert (behind.tickers, behind.version) == (set(), 2)
    assert hub.tickers == {"btc_usd"}
    assert level.mailbox.take() == stranger.mailbox.take() == []


async def test_a_version_without_a_difference_is_adopted_silently(repository: SavedSetRepository) -> None:
    """Promise: asking for what is there already counts a version up, and tells nobody anything."""
    hands = Hands()
    hub = Hub(Position(EPOCH, 7), hands.clock())
    catching_up = CatchingUp(hub, repository, hands.clock(), patience_s=0.0)
    await repository.add("u", "btc_usd", START_MS)
    seat = seat_of(hub, "u", "btc_usd", version=1)
    await repository.add("u", "btc_usd", START_MS)
    await catching_up.look()
    assert (seat.version, seat.mailbox.take()) == (2, [])
