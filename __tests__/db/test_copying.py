from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from __tests__.history.world import heard, index_tick, live, option_tick, perpetual_tick
from cryptomarket.accounts.person import Profile
from cryptomarket.accounts.repository import AccountsRepository, StoredKey
from cryptomarket.accounts.tables import api_keys, person
from cryptomarket.db import Copying, Database, Month, Progress, metadata, migrate
from cryptomarket.errors import StartRefused
from cryptomarket.history.cursors import Cursor
from cryptomarket.history.repository import Repository
from cryptomarket.history.rows import Choice, Row
from cryptomarket.live.repository import SavedSetRepository
from cryptomarket.market.ticks import Gap, GapCause

TIMES = [Month(2026, month).start_ms + past for month in (10, 11, 12) for past in range(-3, 3)]
PRICES = ["8.55E+4", "0E-8", "-0.0", "85500.000000001", "0.10", "1E+40"]


async def fill(database: Database) -> None:
    """A little of everything that a trial leaves behind."""
    await database.claim("simulator")
    words = [index_tick(ms, PRICES[at % len(PRICES)]) for at, ms in enumerate(TIMES)]
    gap = Gap("btc_usd", TIMES[0], TIMES[1], GapCause.DISCONNECT)
    await Repository(database).keep(heard([live(1), *words, gap, perpetual_tick(5), option_tick(6)]))
    accounts = AccountsRepository(database)
    await accounts.identify("simulator", Profile(7, "a@example.com"), new_user_id="u_1", now_ms=10)
    await accounts.add_key(StoredKey("k1", b"\x00\xff" * 16, "first", "u_1", "person", 1, None))
    await accounts.revoke_token("a", expires_ms=100)
    saved = SavedSetRepository(database, tickers_limit=9)
    for ticker in ("btc_usd", "BTC-PERPETUAL"):
        await saved.add("u_1", ticker, 5)


@pytest.fixture
async def source(sqlite_url: str) -> AsyncIterator[Database]:
    """A trial."""
    database = Database(sqlite_url)
    await fill(database)
    yield database
    await database.close()


@pytest.fixture
async def target(postgresql: Database) -> Database:
    """A store that holds nothing."""
    return postgresql


def copying(source: Database, target: Database, told: list[Progress] | None = None, chunk_rows: int = 4) -> Copying:
    return Copying(
        source,
        target,
        metadata.sorted_tables,
        lasting=(person, api_keys),
        tell=(told if told is not None else []).append,
        chunk_rows=chunk_rows,
    )


async def everything(database: Database, ticker: str = "btc_usd") -> list[Row]:
    page = await Repository(database).page(Cursor.at_start(ticker, 0, 2**50), Choice(), limit=1000, begun=False)
    return page.rows


async def test_everything_is_copied_and_proven(source: Database, target: Database) -> None:
    """Every table, every row, every digit, ids included; the proof says how many and what, and progress is told."""
    told: list[Progress] = []
    contents = {content.table: content for content in await copying(source, target, told).run()}
    assert set(contents) == {table.name for table in metadata.sorted_tables}
    assert contents["price_tickers"].rows == len(TIMES) + 2
    assert {contents[name].rows for name in ("person", "api_keys", "gaps", "store")} == {1}
    assert await everything(target) == await everything(source)
    assert await AccountsRepository(target).keys() == await AccountsRepository(source).keys()
    ticks = [progress for progress in told if progress.table == "price_tickers"]
    assert [progress.rows for progress in ticks] == [4, 8, 12, 16, 20]
    assert {progress.of for progress in ticks} == {20}


async def test_what_comes_later_gets_ids_of_its_own(source: Database, target: Database) -> None:
    """The gateway that goes on with the copy stores beside what was copied."""
    await copying(source, target).run()
    await Repository(target).keep(heard([index_tick(TIMES[-1] + 9), Gap("btc_usd", 1, 2, GapCause.BUS)], epoch="e2"))
    rows = await everything(target)
    assert len(rows) == len(TIMES) + 1
    assert len({row.id for row in rows}) == len(rows)


class Interrupted(Exception):
    """Somebody pulled the plug."""


async def test_it_goes_on_where_it_broke_off(source: Database, target: Database) -> None:
    """A copy that dies in the middle of the ticks is taken up by the next, which copies no tick again."""

    def die(progress: Progress) -> None:
        if progress.rows >= 8 and progress.table == "price_tickers":
            raise Interrupted

    broken = Copying(source, target, metadata.sorted_tables, lasting=(person,), tell=die, chunk_rows=4)
    with pytest.raises(Interrupted):
        await broken.run()
    told: list[Progress] = []
    await copying(source, target, told).run()
    assert [progress.rows for progress in told if progress.table == "price_tickers"] == [12, 16, 20]
    assert await everything(target) == await everything(source)


async def test_a_second_run_takes_what_has_changed(source: Database, target: Database) -> None:
    """The trial runs on during the first copy; the second one brings ticks, persons and sets up to date."""
    first = await copying(source, target).run()
    assert await copying(source, target).run() == first
    await Repository(source).keep(heard([index_tick(TIMES[-1] + 9), live(9)], epoch="e2"))
    await SavedSetRepository(source, tickers_limit=9).remove("u_1", None, 6)
    await AccountsRepository(source).forget_expired(now_ms=1000)
    await AccountsRepository(source).identify("simulator", Profile(8), new_user_id="u_2", now_ms=11)
    told: list[Progress] = []
    contents = {content.table: content for content in await copying(source, target, told).run()}
    assert [progress.rows for progress in told if progress.table == "price_tickers"] == [len(TIMES) + 3]
    assert (contents["person"].rows, contents["person_prices"].rows, contents["revoked_tokens"].rows) == (2, 0, 0)
    assert await everything(target) == await everything(source)


async def test_rows_of_somebody_else_are_not_mixed_with_ours(source: Database, target: Database) -> None:
    """A database on which a gateway has run already is refused, and left as it was."""
    await Repository(target).keep(heard([index_tick(5)], epoch="e9"))
    before = await everything(target)
    with pytest.raises(StartRefused, match="price_tickers holds rows that did not come from this source"):
        await copying(source, target).run()
    assert await everything(target) == before


async def test_persons_of_somebody_else_are_kept(source: Database, target: Database) -> None:
    """Nobody's identity is deleted to make room for a copy."""
    await AccountsRepository(target).identify("simulator", Profile(9), new_user_id="u_9", now_ms=10)
    with pytest.raises(StartRefused, match="table person holds rows"):
        await copying(source, target).run()
    assert await AccountsRepository(target).person("u_9") is not None
    assert await everything(target) == []


async def test_a_copy_that_differs_is_told(source: Database, target: Database) -> None:
    """One digit of one price that is not the same, and the command fails."""
    await copying(source, target).run()
    async with target.begin() as connection:
        await connection.exec_driver_sql("UPDATE crypto.price_tickers SET price = price + 0.001 WHERE id = 3")
    with pytest.raises(StartRefused, match="The copy of price_tickers is not the same: 20 rows"):
        await copying(source, target).run()


async def test_both_databases_spell_a_content_alike(source: Database, target: Database, tmp_path: Path) -> None:
    """The same rows have the same checksum wherever they are: a copy of the copy, too."""
    first = await copying(source, target).run()
    url = f"sqlite:///{tmp_path / 'back.sqlite3'}"
    await migrate(url)
    back = Database(url)
    assert sorted(await copying(target, back, chunk_rows=7).run(), key=str) == sorted(first, key=str)
    await back.close()
    assert all(len(content.sha256) == 64 for content in first)
