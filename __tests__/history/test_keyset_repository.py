"""The order of rows, and pages in it: by objects and by lines, with others writing between."""

import asyncio
import json
import shutil
from functools import partial

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete

from __tests__.history.test_repository import key, scan
from __tests__.history.test_rows import insert_backfill
from __tests__.history.world import heard, index_tick
from __tests__.postgres_server import PostgresServer
from cryptomarket.db import Database
from cryptomarket.history.cursors import Cursor, Order
from cryptomarket.history.formats import Format
from cryptomarket.history.lines import line_of
from cryptomarket.history.look_repository import Look
from cryptomarket.history.repository import Heard, Repository
from cryptomarket.history.rows import Choice, row_json
from cryptomarket.history.tables import price_tickers
from cryptomarket.market.instruments import Kind
from cryptomarket.market.position import Position
from cryptomarket.market.ticks import Source

START = Position("e1", 0)
LINE = line_of(Format.NDJSON, "btc_usd", Kind.INDEX, None)


async def scan_of_texts(repository: Repository, asked: Cursor, limit: int, between: list[Heard]) -> list[object]:
    """The same by lines, where the database writes them; with one row more after each page."""
    told: list[object] = []
    begun = False
    while True:
        page = await repository.page(asked, Choice(source=asked.source), limit=limit, begun=begun)
        assert LINE is not None
        text = await repository.look(partial(Look.text, asked=asked, line=LINE, limit=limit, begun=begun))
        if text is not None:
            lines = text.text.split("\n") if text.rows else []
            assert lines == [row_json(row).decode() for row in page.rows]
            assert text.last == (page.rows[-1] if page.more else None)
        told += [json.loads(row_json(row))["position"] for row in page.rows]
        if not page.more:
            return told
        asked, begun = asked.after(page.rows[-1]), True
        await repository.keep([between.pop()])


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


@pytest.mark.no_cover  # many examples of what other tests run as well
@given(
    batches=stores(),
    collected=st.lists(st.integers(95, 135), max_size=6),
    limit=st.integers(1, 9),
    order=st.sampled_from(["asc", "desc"]),
    bounds=st.tuples(st.integers(95, 135), st.integers(95, 135)).map(sorted),
    source=st.sampled_from([None, Source.STREAM, Source.COLLECTED]),
)
def test_the_union_of_pages_is_one_scan(
    *,
    pages_url: str,
    batches: list[list[Heard]],
    collected: list[int],
    limit: int,
    order: Order,
    bounds: list[int],
    source: Source | None,
) -> None:
    """Any page size, any order, any source, with a writer between the pages: everything that was committed before the
    first page is told exactly once and in order, and nothing that came later is told.
    """
    asked = Cursor.at_start("btc_usd", bounds[0], bounds[1], order=order, source=source)
    asyncio.run(_check_pages(pages_url, batches, collected, asked, limit))


async def _check_pages(
    url: str,
    batches: list[list[Heard]],
    collected: list[int],
    asked: Cursor,
    limit: int,
) -> None:
    database = Database(url)
    try:
        async with database.begin() as connection:
            await connection.execute(delete(price_tickers))
        repository = Repository(database)
        for batch in batches:
            await repository.keep(batch)
        await insert_backfill(database, *collected, source="collected") if collected else None
        newest = (await repository.look(lambda look: look.extent("btc_usd", stored_up_to=START))).newest_id
        everything = await scan(repository, Cursor.at_start("btc_usd", 0, 1000), 1000)
        expected = [row for row in everything if asked.start_ms <= row.timestamp_ms < asked.end_ms]
        expected = [row for row in expected if asked.source in (None, row.source)]
        expected.sort(key=key, reverse=asked.order == "desc")
        asked = msgspec.structs.replace(asked, newest_id=newest)
        intruders = heard([index_tick(ms) for ms in range(95, 135)], epoch="a9")
        chosen = Choice(source=asked.source)
        assert await scan(repository, asked, limit, chosen, between=intruders) == expected
        places = [None if row.position is None else str(row.position) for row in expected]
        late = heard([index_tick(ms) for ms in range(95, 135)], epoch="a8")
        assert await scan_of_texts(repository, asked, limit, late) == places
    finally:
        await database.close()
