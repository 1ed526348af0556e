import msgspec
import pytest

from __tests__.history.test_rows import insert_backfill
from __tests__.history.world import heard, index_tick, live, perpetual_tick
from cryptomarket.db import Database
from cryptomarket.history.cursors import Cursor
from cryptomarket.history.repository import Heard, Repository, Unstorable
from cryptomarket.history.rows import Choice, Row
from cryptomarket.market.position import Position
from cryptomarket.market.ticks import FeedState, Gap, GapCause
from cryptomarket.market.wire import data_of, decode_gap

ALL = Choice()
START = Position("e1", 0)
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


async def test_an_index_has_no_summary(repository: Repository) -> None:
    """Promise: what lines are told by holds for all that is kept, whatever a newer publisher says of an index."""
    [(publication, tick)] = heard([index_tick(5)])
    payload = publication.payload[:-1] + b',"state":"open"}'
    await repository.keep([Heard(msgspec.structs.replace(publication, payload=payload), tick)])
    stored = await repository.last_row("btc_usd")
    assert stored is not None
    assert (stored.timestamp_ms, stored.summary) == (5, None)


async def test_gaps_and_statuses_are_stored_with_their_positions(repository: Repository) -> None:
    """A published gap can be told again as it was published."""
    gap = Gap("btc_usd", 100, 200, GapCause.SILENCE)
    batch = heard([index_tick(100), gap], first_seq=8)
    await repository.keep(batch)
    [stored] = await repository.gaps("btc_usd", 0, 1000, limit=10)
    assert stored == ("btc_usd", 100, 200, "silence", "recorded", 9, 8)
    assert decode_gap(batch[1].publication.payload) == gap
    assert b'"prev_seq":8' in data_of(batch[1].publication)


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
