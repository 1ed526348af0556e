"""Upkeep of history, on both databases."""

from decimal import Decimal

from sqlalchemy import select

from __tests__.history.world import NOW_MS, StoppedClock, index_tick
from cryptomarket.backplane.memory import MemoryBus
from cryptomarket.db import Database, Month
from cryptomarket.history.collection_repository import CollectionRepository, Errand
from cryptomarket.history.repository import Repository
from cryptomarket.history.retention_repository import RetentionRepository
from cryptomarket.history.tables import candles, gaps, price_tickers, statuses
from cryptomarket.history.upkeep import DAY_MS, finalise_candles, refresh_latest, remove_old_ticks
from cryptomarket.market.ticks import Source
from cryptomarket.market.wire import decode_tick


async def streamed(database: Database, repository: Repository, *times_ms: int, ticker: str = "btc_usd") -> None:
    """Rows of the stream at these times, each a dollar above the one before."""
    await repository.make_places(times_ms)
    async with database.begin() as connection:
        for seq, at_ms in enumerate(times_ms, 1):
            values = {
                "ticker": ticker, "epoch": "e", "seq": seq, "source": "stream", "kind": "index",
                "instrument_name": ticker, "timestamp_ms": at_ms, "received_us": at_ms * 1000, "published_us": 1,
                "price": Decimal(100 + seq),
            }  # fmt: skip
            await connection.execute(price_tickers.insert().values(values))


async def test_old_ticks_go_and_the_others_stay(database: Database, repository: Repository) -> None:
    """Promise: nothing within the retention is removed; a dry run removes nothing; a second run finds nothing."""
    now_ms = Month(2026, 11).start_ms + 10 * DAY_MS
    old = [Month(2026, 8).start_ms + 5, Month(2026, 9).start_ms + 5]
    young = [now_ms - 29 * DAY_MS, now_ms]
    await streamed(database, repository, *old, *young)
    retention = RetentionRepository(database)
    told = await remove_old_ticks(retention, now_ms=now_ms, days=30, dry_run=True)
    assert (told["rows"], told["dry_run"]) == (2, True)
    assert await retention.oldest_ms() == old[0]
    told = await remove_old_ticks(retention, now_ms=now_ms, days=30, dry_run=False)
    assert told["rows"] == 2
    assert told["months"] == ([] if database.is_sqlite else ["2026-08", "2026-09"])
    assert await retention.oldest_ms() == young[0]
    assert (await remove_old_ticks(retention, now_ms=now_ms, days=30, dry_run=False))["rows"] == 0


async def test_a_dry_run_counts_what_would_go(database: Database, repository: Repository) -> None:
    """Promise: the state in which a ticker was stays, and is not counted; the figure is what the next run removes."""
    now_ms = Month(2026, 11).start_ms + 10 * DAY_MS
    await streamed(database, repository, Month(2026, 8).start_ms + 5)
    async with database.begin() as connection:
        for seq, ticker in enumerate(("btc_usd", "btc_usd", "eth_usd")):
            values = {"ticker": ticker, "epoch": "e", "seq": seq, "state": "live", "since_ms": seq}
            await connection.execute(statuses.insert().values(values))
        gap = {"ticker": "btc_usd", "from_ms": 1, "to_ms": 2, "cause": "restart", "state": "recorded"}
        await connection.execute(gaps.insert().values(gap))
    retention = RetentionRepository(database)
    rows = [
        (await remove_old_ticks(retention, now_ms=now_ms, days=30, dry_run=dry_run))["rows"]
        for dry_run in (True, False, True)
    ]
    assert rows == [3, 3, 0]


async def test_a_kept_candle_outlives_its_ticks(sqlite_url: str) -> None:
    """Promise: retention takes a minute's ticks all at once, so that the candle of a ticker of which nothing was heard
    since is not made anew of those that are left.
    """
    database = Database(sqlite_url)
    repository, kept = Repository(database), CollectionRepository(database)
    minute_ms = NOW_MS - NOW_MS % 60_000
    await streamed(database, repository, minute_ms + 1000, minute_ms + 59_000)
    clock = StoppedClock(minute_ms + DAY_MS + 30_000).clock
    for _ in range(2):
        await finalise_candles(repository, kept, ["btc_usd"], clock=clock)
        await remove_old_ticks(RetentionRepository(database), now_ms=clock.wall_ms(), days=1, dry_run=False)
    async with database.read() as connection:
        found = (await connection.execute(select(candles.c.open, candles.c.ticks))).all()
    assert [tuple(row) for row in found] == [(Decimal(101), 2)]
    later = StoppedClock(minute_ms + DAY_MS + 90_000).clock
    told = await remove_old_ticks(RetentionRepository(database), now_ms=later.wall_ms(), days=1, dry_run=False)
    assert told["rows"] == 2
    await database.close()


async def test_the_bus_is_given_what_it_lacks(database: Database, repository: Repository) -> None:
    """Promise: the last stored tick is the last known one of a bus that knows none; one that knows some keeps it."""
    await streamed(database, repository, NOW_MS - 5, NOW_MS - 1)
    bus = MemoryBus("epoch", is_newest=lambda _name, _token: True, log_capacity=100, log_hard_capacity=100)
    told = await refresh_latest(bus, repository, {"btc_usd", "eth_usd"})
    assert told == {"wanted": 2, "remembered": ["btc_usd"]}
    _, pictures = await bus.pictures(["btc_usd"])
    remembered = pictures["btc_usd"].remembered
    assert remembered is not None
    assert (decode_tick(remembered).timestamp_ms, decode_tick(remembered).price) == (NOW_MS - 1, Decimal(102))
    assert (await refresh_latest(bus, repository, {"btc_usd"}))["remembered"] == []


async def test_closed_minutes_are_kept_once_and_revised(database: Database, repository: Repository) -> None:
    """Promise: a minute is kept when it is over, exactly; a run more changes nothing, and only the stream revises it;
    however long nothing was heard, the next minute is found.
    """
    minute_ms = NOW_MS - NOW_MS % 60_000
    far_ms = minute_ms - 5 * DAY_MS
    await streamed(database, repository, far_ms, far_ms + 5, minute_ms - 60_000, minute_ms - 1, minute_ms)
    kept, clock = CollectionRepository(database), StoppedClock(minute_ms + 30_000).clock

    async def told() -> list[tuple[int, Decimal, Decimal, int]]:
        columns = (candles.c.start_ms, candles.c.open, candles.c.close, candles.c.ticks)
        async with database.read() as connection:
            found = (await connection.execute(select(*columns).order_by(candles.c.start_ms))).all()
        return [(row[0], row[1], row[2], row[3]) for row in found]

    for _ in range(3):
        await finalise_candles(repository, kept, ["btc_usd", "eth_usd"], clock=clock)
    assert await told() == [
        (far_ms, Decimal(101), Decimal(102), 2),
        (minute_ms - 60_000, Decimal(103), Decimal(104), 2),
    ]
    late = [index_tick(minute_ms - 30_000, "7")]
    await kept.keep(Errand("late", "btc_usd", 1), late, Source.COLLECTED)
    await finalise_candles(repository, kept, ["btc_usd"], clock=clock)
    assert (await told())[-1] == (minute_ms - 60_000, Decimal(103), Decimal(104), 2), "another source was believed"
