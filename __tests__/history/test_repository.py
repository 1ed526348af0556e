import asyncio
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete

from __tests__.history.test_rows import insert_backfill
from __tests__.history.world import heard, index_tick, live, perpetual_tick, state
from __tests__.postgres_server import PostgresServer
from cryptomarket.db import Database
from cryptomarket.history.cursors import Cursor, Order
from cryptomarket.history.repository import Heard, Repository, Unstorable
from cryptomarket.history.rows import Choice, Row
from cryptomarket.history.tables import price_tickers
from cryptomarket.market.position import Position
from cryptomarket.market.ticks import FeedState, Gap, GapCause, Source
from cryptomarket.market.wire import data_of, decode_gap

ALL = Choice()
BELIEVED = Choice(believed_only=True)


def key(row: Row) -> tuple[int, str, str, int, int]:
    return row.timestamp_ms, row.source, row.epoch or "", row.seq or 0, row.id


async def scan(
    repository: Repository, asked: Cursor, limit: int, choice: Choice = ALL, between: list[Heard] | None = None
) -> list[Row]:
    """Every page of a question. With `between`, that many rows more are written after each page."""
    rows: list[Row] = []
    begun = False
    while True:
        page = await repository.page(asked, choice, limit=limit, begun=begun)
        assert len(page.rows) <= limit
        rows += page.rows
        if not page.more:
            return rows
        asked, begun = Cursor.parse(str(asked.after(page.rows[-1]))), True
        if between:
            await repository.keep([between.pop()])


async def test_a_batch_is_kept_once_however_often_it_comes(repository: Repository) -> None:
    """At least once in, exactly once stored: a batch that is handed out again changes nothing."""
    gap = Gap("btc_usd", 100, 200, GapCause.DISCONNECT)
    batch = heard([index_tick(100), gap, live(200), index_tick(200), perpetual_tick(150)])
    await repository.keep(batch)
    await repository.keep(batch[2:])
    await repository.keep(batch)
    assert len(await scan(repository, Cursor.at_start("btc_usd", 0, 1000), 10)) == 2
    assert len(await repository.gaps("btc_usd", 0, 1000, limit=10)) == 1
    status = await repository.last_status("btc_usd")
    assert status is not None
    assert (status.state, status.seq, status.prev_seq, status.epoch) == (FeedState.LIVE, 3, 2, "e1")


async def test_gaps_and_statuses_are_stored_with_their_positions(repository: Repository) -> None:
    """A published gap can be told again as it was published."""
    gap = Gap("btc_usd", 100, 200, GapCause.SILENCE)
    batch = heard([index_tick(100), gap], first_seq=8)
    await repository.keep(batch)
    [stored] = await repository.gaps("btc_usd", 0, 1000, limit=10)
    assert stored == ("btc_usd", 100, 200, "silence", "recorded", 9, 8)
    assert decode_gap(batch[1].publication.payload) == gap
    assert b'"prev_seq":8' in data_of(batch[1].publication)


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


async def test_the_last_tick_is_the_newest_of_the_stream(repository: Repository, database: Database) -> None:
    """Ingest starts from the last streamed tick: same millisecond, the later one; other sources do not count."""
    assert await repository.last_tick("btc_usd") is None
    await insert_backfill(database, 400)
    assert await repository.last_tick("btc_usd") is None
    row = await repository.last_row("btc_usd")
    assert row is not None
    assert row.source == "backfill"
    await repository.keep(heard([index_tick(300, "1"), index_tick(300, "2")], first_seq=5))
    last = await repository.last_tick("btc_usd")
    assert last is not None
    assert (str(last.tick.price), last.epoch, last.seq, last.tick.published_us) == ("2", "e1", 6, 300_300)


async def test_a_last_tick_says_the_same_as_the_one_that_was_heard(repository: Repository) -> None:
    """An exact repeat after a restart is recognised against the stored row."""
    await repository.keep(heard([perpetual_tick(300)]))
    last = await repository.last_tick("BTC-PERPETUAL")
    assert last is not None
    assert last.tick.says_the_same(perpetual_tick(300))


async def test_what_cannot_be_stored_stores_nothing(repository: Repository) -> None:
    """A batch is one transaction: when one row is refused, none of it is half there."""
    good, bad = heard([index_tick(1), index_tick(2)])
    huge = Heard(bad.publication, index_tick(2**70))
    with pytest.raises(Unstorable):
        await repository.keep([good, huge])
    assert await scan(repository, Cursor.at_start("btc_usd", 0, 10), 10) == []


async def test_rows_that_lie_beside_the_stream_are_not_believed(repository: Repository, database: Database) -> None:
    """Other sources count inside a recorded gap and before the first stream row, nowhere else."""
    await repository.keep(heard([index_tick(100), Gap("btc_usd", 200, 300, GapCause.SILENCE), index_tick(300)]))
    await insert_backfill(database, 50, 100, 150, 200, 299, 300, 400)
    asked = Cursor.at_start("btc_usd", 0, 1000)
    believed = [(row.timestamp_ms, row.source) for row in await scan(repository, asked, 2, BELIEVED)]
    assert believed == [(50, "backfill"), (100, "stream"), (200, "backfill"), (299, "backfill"), (300, "stream")]
    chosen = [row.timestamp_ms for row in await scan(repository, asked, 2, Choice(source=Source.BACKFILL))]
    assert chosen == [50, 100, 150, 200, 299, 300, 400]


@st.composite
def stores(draw: st.DrawFn) -> list[list[Heard]]:
    """Two epochs of one ticker with many ticks of the same millisecond."""
    batches = []
    for epoch in ("a7", "b2"):
        times = sorted(draw(st.lists(st.integers(100, 130), max_size=14)))
        batches.append(heard([index_tick(ms) for ms in times], epoch=epoch))
    return batches


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def pages_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store for every example of this file, emptied by each."""
    if request.param == "sqlite":
        return f"sqlite:///{shutil.copy(request.getfixturevalue('sqlite_template'), tmp_path_factory.mktemp('pages'))}"
    postgres: PostgresServer = request.getfixturevalue("postgres")
    return postgres.url(postgres.new_database(request.getfixturevalue("postgres_template")))


@given(
    batches=stores(),
    collected=st.lists(st.integers(95, 135), max_size=6),
    limit=st.integers(1, 9),
    order=st.sampled_from(["asc", "desc"]),
    bounds=st.tuples(st.integers(95, 135), st.integers(95, 135)).map(sorted),
)
def test_the_union_of_pages_is_one_scan(
    pages_url: str, batches: list[list[Heard]], collected: list[int], limit: int, order: Order, bounds: list[int]
) -> None:
    """Any page size, any order, with a writer between the pages: everything that was committed before the first page
    is told exactly once and in order, and nothing that came later is told.
    """
    asyncio.run(_check_pages(pages_url, batches, collected, limit, order, (bounds[0], bounds[1])))


async def _check_pages(
    url: str,
    batches: list[list[Heard]],
    collected: list[int],
    limit: int,
    order: Order,
    bounds: tuple[int, int],
) -> None:
    database = Database(url)
    try:
        async with database.begin() as connection:
            await connection.execute(delete(price_tickers))
        repository = Repository(database)
        for batch in batches:
            await repository.keep(batch)
        await insert_backfill(database, *collected, source="collected") if collected else None
        async with repository.look() as look:
            newest = (await look.extent("btc_usd", stored_up_to=Position("e1", 0))).newest_id
        everything = await scan(repository, Cursor.at_start("btc_usd", 0, 1000), 1000)
        expected = [row for row in everything if bounds[0] <= row.timestamp_ms < bounds[1]]
        expected.sort(key=key, reverse=order == "desc")
        asked = Cursor.at_start("btc_usd", *bounds, order=order, newest_id=newest)
        intruders = heard([index_tick(ms) for ms in range(95, 135)], epoch="a9")
        assert await scan(repository, asked, limit, between=intruders) == expected
    finally:
        await database.close()


@pytest.mark.parametrize(
    ("start_ms", "end_ms", "was_live"),
    [
        (1000, 1900, True),  # live from the tick that made it so, though the state was said 50 ms later
        (999, 1900, False),  # before the first tick nothing was heard
        (1000, 2000, True),  # up to the last tick before the feed broke off
        (1000, 2001, False),  # beyond it nothing is known, though the break was noticed at 5000
        (5500, 5600, False),  # in the dark
        (6000, 6500, True),  # from the tick that came back
        (5999, 6500, False),
        (1500, 6500, False),  # across
        (6000, 6800, True),
        (7000, 9000, False),  # halted: said by the exchange, for a time of its own
        (6000, 7000, True),
        (9000, 9500, True),
    ],
)
async def test_when_the_feed_was_live(repository: Repository, start_ms: int, end_ms: int, was_live: bool) -> None:
    """A range is complete only where the feed was live; the edges lie at the ticks."""
    await repository.keep(
        heard(
            [
                *(live(1050), index_tick(1000), index_tick(2000), state(FeedState.DOWN, 5000)),
                *(Gap("btc_usd", 2000, 6000, GapCause.DISCONNECT), live(6050), index_tick(6000), index_tick(6900)),
                *(state(FeedState.HALTED, 7000), live(9000), index_tick(9100), index_tick(9900)),
            ]
        )
    )
    async with repository.look() as look:
        assert await look.was_live("btc_usd", start_ms, end_ms) is was_live


async def test_what_is_on_its_way_is_not_settled(repository: Repository) -> None:
    """With several writers a later batch may commit first: only what the group has acknowledged counts as settled."""
    await repository.keep(heard([index_tick(100), index_tick(200), index_tick(300)], first_seq=4))
    async with repository.look() as look:
        assert await look.extent("btc_usd", stored_up_to=Position("e1", 5)) == (100, 100, 200, 3)
        assert await look.extent("btc_usd", stored_up_to=Position("e1", 6)) == (100, 100, 300, 3)
        assert await look.extent("btc_usd", stored_up_to=Position("e2", 0)) == (100, 100, 300, 3)
        assert await look.extent("eth_usd", stored_up_to=Position("e1", 6)) == (None, None, None, 3)
