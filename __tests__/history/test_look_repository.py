"""What is read in one look: boundaries to the millisecond, what is believed, what was live, and what is settled."""

from functools import partial
from typing import Any

import pytest

from __tests__.history.test_repository import scan
from __tests__.history.test_rows import insert_backfill
from __tests__.history.world import heard, index_tick
from cryptomarket.db import Database
from cryptomarket.history.cursors import Cursor, Order
from cryptomarket.history.look_repository import Look
from cryptomarket.history.repository import Repository
from cryptomarket.history.rows import Choice
from cryptomarket.market.position import Position
from cryptomarket.market.ticks import Gap, GapCause, Source

BELIEVED = Choice(believed_only=True)


@pytest.mark.parametrize(
    ("start_ms", "end_ms", "overlaps"),
    [(0, 100, False), (0, 101, True), (199, 300, True), (200, 300, False), (150, 160, True)],
)
async def test_gaps_overlap_to_the_millisecond(
    repository: Repository, start_ms: int, end_ms: int, overlaps: bool
) -> None:
    """A gap is [from, to) and a range [start, end): touching is not overlapping."""
    await repository.keep(heard([Gap("btc_usd", 100, 200, GapCause.SILENCE)]))
    assert bool(await repository.gaps("btc_usd", start_ms, end_ms, limit=10)) is overlaps


async def test_a_range_includes_its_start_and_not_its_end(repository: Repository) -> None:
    """[start, end), to the millisecond."""
    await repository.keep(heard([index_tick(ms) for ms in (99, 100, 101, 199, 200, 201)]))
    rows = await scan(repository, Cursor.at_start("btc_usd", 100, 200), 10)
    assert [row.timestamp_ms for row in rows] == [100, 101, 199]


async def test_rows_that_lie_beside_the_stream_are_not_believed(repository: Repository, database: Database) -> None:
    """Other sources count inside a recorded gap and before the first stream row, nowhere else."""
    await repository.keep(heard([index_tick(100), Gap("btc_usd", 200, 300, GapCause.SILENCE), index_tick(300)]))
    await insert_backfill(database, 50, 100, 150, 200, 299, 300, 400)
    asked = Cursor.at_start("btc_usd", 0, 1000)
    believed = [(row.timestamp_ms, row.source) for row in await scan(repository, asked, 2, BELIEVED)]
    assert believed == [(50, "backfill"), (100, "stream"), (200, "backfill"), (299, "backfill"), (300, "stream")]
    chosen = [row.timestamp_ms for row in await scan(repository, asked, 2, Choice(source=Source.BACKFILL))]
    assert chosen == [50, 100, 150, 200, 299, 300, 400]


async def test_what_is_on_its_way_is_not_settled(repository: Repository) -> None:
    """With several writers a later batch may commit first: only what the group has acknowledged counts as settled."""
    await repository.keep(heard([index_tick(100), index_tick(200), index_tick(300)], first_seq=4))
    expected = {
        ("btc_usd", Position("e1", 5)): (100, 100, 200, 3),
        ("btc_usd", Position("e1", 6)): (100, 100, 300, 3),
        ("btc_usd", Position("e2", 0)): (100, 100, 300, 3),
        ("eth_usd", Position("e1", 6)): (None, None, None, 3),
    }
    for (ticker, position), extent in expected.items():
        assert await repository.look(partial(Look.extent, ticker=ticker, stored_up_to=position)) == extent


@pytest.mark.parametrize(("order", "bound"), [("asc", "timestamp_ms >= 1000"), ("desc", "timestamp_ms < 9000")])
async def test_a_page_begins_at_its_cursor(sqlite_url: str, order: Order, bound: str) -> None:
    """Promise: the last pages of a long range cost what the first ones do: the range's own bound, of which SQLite would
    make use instead of the cursor's, is none of a later page's.
    """
    database = Database(sqlite_url)
    repository = Repository(database)
    await repository.keep(heard([index_tick(ms) for ms in (2000, 3000, 4000)]))
    asked = Cursor.at_start("btc_usd", 1000, 9000, order=order)
    page = await repository.page(asked, Choice(), limit=1, begun=False)

    def traced(begun: bool, look: Look) -> str:
        driver: Any = look.lines._connection.connection.driver_connection  # noqa: SLF001 - there is no other way to it
        asked_sql: list[str] = []
        driver.set_trace_callback(asked_sql.append)
        look.page(asked.after(page.rows[-1]) if begun else asked, Choice(), limit=1, begun=begun)
        driver.set_trace_callback(None)
        return asked_sql[-1]

    assert bound in await repository.look(partial(traced, False))
    assert bound not in await repository.look(partial(traced, True))
    await database.close()
