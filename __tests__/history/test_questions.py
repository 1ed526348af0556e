import json
from collections.abc import Collection
from decimal import Decimal
from typing import Any

import pytest

from __tests__.history.test_rows import insert_backfill
from __tests__.history.world import (
    NOW_MS,
    StoppedClock,
    heard,
    index_tick,
    live,
    new_bus,
    perpetual_tick,
    publish,
    state,
    writing,
)
from cryptomarket.backplane.bus import Picture
from cryptomarket.backplane.memory import MemoryBus
from cryptomarket.db import Database
from cryptomarket.errors import BusUnavailable, Impossible, Malformed, NotFound
from cryptomarket.history.cursors import Cursor
from cryptomarket.history.questions import History, TicksQuestion
from cryptomarket.history.repository import Repository
from cryptomarket.history.retention_repository import RetentionRepository
from cryptomarket.history.timestamps import DAY_MS
from cryptomarket.history.upkeep import remove_old_ticks
from cryptomarket.market.position import Position
from cryptomarket.market.ticks import FeedState, Gap, GapCause, Source
from cryptomarket.market.wire import data_of

T = NOW_MS - 100_000


@pytest.fixture
def bus() -> MemoryBus:
    return new_bus()


@pytest.fixture
def history(repository: Repository, bus: MemoryBus, stopped: StoppedClock) -> History:
    return History(repository, bus, clock=stopped.clock)


async def ask(history: History, **asked: Any) -> dict[str, Any]:  # noqa: ANN401 - a question's parts
    answer = await history.ticks(TicksQuestion(ticker="btc_usd", **asked))
    told: dict[str, Any] = json.loads(answer.body, parse_float=Decimal)
    return told


async def test_an_answer_echoes_what_was_understood(history: History, repository: Repository) -> None:
    """Range, bounds and count are told; without start and end it is everything until now."""
    await repository.keep(heard([index_tick(T + 1), index_tick(T + 2)]))
    told = await ask(history)
    assert {name: told[name] for name in ("ticker", "start", "end", "bounds", "count", "next_cursor", "gaps")} == {
        "ticker": "btc_usd", "start": T + 1, "end": NOW_MS, "bounds": "[start,end)", "count": 2, "next_cursor": None,
        "gaps": [],
    }  # fmt: skip
    assert [row["timestamp"] for row in told["data"]] == [T + 1, T + 2]


async def test_a_ticker_without_rows_is_answered(history: History) -> None:
    """Nothing stored is an empty answer, and not a complete one."""
    told = await ask(history)
    assert (told["data"], told["complete"], told["start"], told["end"]) == ([], False, NOW_MS, NOW_MS)


async def test_pages_continue_by_cursor_alone(history: History, repository: Repository, stopped: StoppedClock) -> None:
    """A cursor carries its question: the end stays where it was though time goes on, and no row is told twice."""
    await repository.keep(heard([index_tick(T + ms) for ms in range(5)]))
    first = await ask(history, limit=2, order="desc")
    stopped.now_ms += 60_000
    await repository.keep(heard([index_tick(NOW_MS - 1), index_tick(NOW_MS + 5)], epoch="e2"))
    second = await ask(history, limit=2, cursor=Cursor.parse(first["next_cursor"]))
    third = await ask(history, limit=2, cursor=Cursor.parse(second["next_cursor"]))
    rows = [row["timestamp"] for page in (first, second, third) for row in page["data"]]
    assert rows == [T + 4, T + 3, T + 2, T + 1, T]
    assert (second["end"], third["next_cursor"]) == (NOW_MS, None)


@pytest.mark.parametrize(
    "other", [{"start_ms": T + 1}, {"end_ms": T + 9}, {"order": "asc"}, {"source": Source.BACKFILL}]
)
async def test_a_cursor_answers_no_other_question(
    history: History, repository: Repository, other: dict[str, Any]
) -> None:
    """A cursor with another range, order or source is a mistake that is told."""
    await repository.keep(heard([index_tick(T + ms) for ms in range(3)]))
    first = await ask(history, limit=1, order="desc")
    with pytest.raises(Malformed, match="question with another"):
        await ask(history, limit=1, cursor=Cursor.parse(first["next_cursor"]), **other)
    with pytest.raises(Malformed, match="another ticker"):
        await history.ticks(TicksQuestion(ticker="eth_usd", cursor=Cursor.parse(first["next_cursor"])))


@pytest.mark.parametrize(
    ("start_ms", "end_ms", "sentence"),
    [(NOW_MS + 1, None, "future"), (T, T, "before end"), (T + 1, T, "before end"), (NOW_MS + 1, NOW_MS + 2, "future")],
)
async def test_a_range_that_cannot_be_is_refused(
    history: History, start_ms: int, end_ms: int | None, sentence: str
) -> None:
    """A start in the future, or not before the end, is a 422 with a sentence."""
    with pytest.raises(Impossible, match=sentence):
        await ask(history, start_ms=start_ms, end_ms=end_ms)
    with pytest.raises(Impossible, match=sentence):
        await history.gaps("btc_usd", start_ms, end_ms, limit=1)


async def test_fields_are_chosen_and_strangers_refused(history: History, repository: Repository) -> None:
    """`fields` narrows rows; a name that no kind has is a 422."""
    await repository.keep(heard([index_tick(T, "8.55E+4")]))
    assert (await ask(history, fields=["price"]))["data"] == [{"price": Decimal("8.55E+4")}]
    with pytest.raises(Impossible, match="no field 'colour'"):
        await ask(history, fields=["price", "colour"])


async def _published(bus: MemoryBus, repository: Repository, stopped: StoppedClock) -> None:
    """Live from T; a gap from T+2000 to T+6000; live since."""
    async with writing(bus, repository, stopped.clock):
        await publish(bus, live(T + 20), index_tick(T), index_tick(T + 1000), index_tick(T + 2000))
        await publish(bus, state(FeedState.DOWN, T + 4000), Gap("btc_usd", T + 2000, T + 6000, GapCause.DISCONNECT))
        await publish(bus, live(T + 6020), index_tick(T + 6000), index_tick(T + 7000))


@pytest.mark.parametrize(
    ("start_ms", "end_ms", "complete", "gaps"),
    [
        (T, T + 2000, True, 0),
        (T - 1, T + 2000, False, 0),  # before the ticker's first row
        (T, T + 2001, False, 1),  # into the gap
        (T + 5999, T + 7000, False, 1),
        (T + 6000, T + 7000, True, 0),
        (T + 6000, T + 7001, True, 0),  # all that was said is stored, and the feed is live
        (T + 6000, None, True, 0),  # until now
        (T + 6000, NOW_MS + 1, False, 0),  # the future is not known
    ],
)
async def test_a_range_is_complete_where_everything_was_heard(
    *,
    history: History,
    bus: MemoryBus,
    repository: Repository,
    stopped: StoppedClock,
    start_ms: int,
    end_ms: int | None,
    complete: bool,
    gaps: int,
) -> None:
    """`complete` is false where a gap overlaps, before the first row, and where the feed was not live."""
    await _published(bus, repository, stopped)
    told = await ask(history, start_ms=start_ms, end_ms=end_ms)
    assert (told["complete"], len(told["gaps"])) == (complete, gaps)
    if gaps:
        assert told["gaps"][0] == {
            "ticker": "btc_usd", "from_ms": T + 2000, "to_ms": T + 6000, "cause": "disconnect", "state": "recorded",
            "seq": 6, "prev_seq": 5,
        }  # fmt: skip


async def test_what_is_not_stored_yet_is_not_complete(
    history: History, bus: MemoryBus, repository: Repository, stopped: StoppedClock
) -> None:
    """While a tick is on its way to the database, only what lies before the last settled one is complete."""
    await _published(bus, repository, stopped)
    await publish(bus, index_tick(T + 8000))
    assert (await ask(history, start_ms=T + 6000, end_ms=T + 7000))["complete"]
    assert not (await ask(history, start_ms=T + 6000, end_ms=T + 7001))["complete"]
    async with writing(bus, repository, stopped.clock):
        pass
    assert (await ask(history, start_ms=T + 6000, end_ms=T + 8001))["complete"]


async def test_a_feed_that_broke_off_is_not_complete_beyond_its_last_tick(
    history: History, bus: MemoryBus, repository: Repository, stopped: StoppedClock
) -> None:
    """No gap is recorded before the feed is back, and silence must not pass for a calm market meanwhile."""
    await _published(bus, repository, stopped)
    async with writing(bus, repository, stopped.clock):
        await publish(bus, state(FeedState.STALE, T + 12_000))
    assert (await ask(history, start_ms=T + 6000, end_ms=T + 7000))["complete"]
    assert not (await ask(history, start_ms=T + 6000, end_ms=T + 7001))["complete"]


async def test_after_a_restart_nothing_is_complete_until_it_is_heard_again(
    bus: MemoryBus, repository: Repository, stopped: StoppedClock
) -> None:
    """A new epoch has heard nothing yet: the last state of the old one proves nothing about now."""
    await _published(bus, repository, stopped)
    history = History(repository, new_bus("e2"), clock=stopped.clock)
    assert (await ask(history, start_ms=T + 6000, end_ms=T + 7000))["complete"]
    assert not (await ask(history, start_ms=T + 6000, end_ms=T + 7001))["complete"]


async def test_a_later_page_is_no_more_complete_than_the_first(
    history: History, bus: MemoryBus, repository: Repository, stopped: StoppedClock
) -> None:
    """Rows that came after the first page are told on none, so no page may call the range complete."""
    await _published(bus, repository, stopped)
    await publish(bus, index_tick(T + 7000, "2"))
    first = await ask(history, start_ms=T + 6000, end_ms=T + 7001, limit=1)
    async with writing(bus, repository, stopped.clock):
        pass
    second = await ask(history, limit=10, cursor=Cursor.parse(first["next_cursor"]))
    assert (first["complete"], second["complete"]) == (False, False)
    assert (await ask(history, start_ms=T + 6000, end_ms=T + 7001))["complete"]


async def test_a_page_after_a_removal_is_not_complete(
    history: History, bus: MemoryBus, repository: Repository, stopped: StoppedClock
) -> None:
    """Promise: where rows of the range were removed between two pages, the later one says so, and is kept by nobody."""
    async with writing(bus, repository, stopped.clock):
        await publish(
            bus, index_tick(T - 2000 * DAY_MS), live(T - 2000 * DAY_MS), *(index_tick(T + ms) for ms in range(5))
        )
    whole = {"start_ms": T - 2000 * DAY_MS, "end_ms": T + 4}
    first = await ask(history, **whole, order="desc", limit=2)
    cursor = Cursor.parse(first["next_cursor"])
    pages = [await history.ticks(TicksQuestion("btc_usd", cursor=cursor, limit=2))]
    await remove_old_ticks(RetentionRepository(repository._db), now_ms=NOW_MS, days=1, dry_run=False)  # noqa: SLF001  the same
    pages.append(await history.ticks(TicksQuestion("btc_usd", cursor=cursor, limit=2)))
    told = [json.loads(page.body) for page in pages]
    assert first["complete"]
    assert [(page.is_closed, one["complete"], one["count"]) for page, one in zip(pages, told, strict=True)] == [
        (True, True, 2), (False, False, 2),
    ]  # fmt: skip


async def test_only_what_is_settled_is_closed(
    history: History, bus: MemoryBus, repository: Repository, stopped: StoppedClock
) -> None:
    """Promise: a page that is complete by the bus's word alone is kept by nobody: its last moments may still come."""
    async with writing(bus, repository, stopped.clock):
        await publish(bus, live(T), index_tick(T), index_tick(T + 1000))
    for end_ms, closed in ((T + 1000, True), (T + 1001, False)):
        page = await history.ticks(TicksQuestion("btc_usd", start_ms=T, end_ms=end_ms))
        assert (json.loads(page.body)["complete"], page.is_closed) == (True, closed)


class AwayBus(MemoryBus):
    """A bus that can't be reached."""

    def __init__(self) -> None:
        super().__init__("e1", is_newest=lambda _name, _token: True)

    async def pictures(self, tickers: Collection[str] | None = None) -> tuple[Position, dict[str, Picture]]:
        raise BusUnavailable("away")


async def test_without_the_bus_history_still_answers(
    bus: MemoryBus, repository: Repository, stopped: StoppedClock
) -> None:
    """With the bus away rows are told, and nothing is called complete that can't be proven."""
    await _published(bus, repository, stopped)
    history = History(repository, AwayBus(), clock=stopped.clock)
    told = await ask(history, start_ms=T, end_ms=T + 2000)
    assert (told["count"], told["complete"]) == (2, False)
    assert json.loads(await history.latest("btc_usd"))["timestamp"] == T + 7000


async def test_the_latest_tick_is_the_buss(history: History, bus: MemoryBus, stopped: StoppedClock) -> None:
    """`latest` is what was heard last, stored or not, with its age."""
    [told] = await publish(bus, perpetual_tick(T))
    latest = await history.latest("BTC-PERPETUAL")
    place = b'{"source":"stream","position":"e1-1",'
    assert latest == place + data_of(told)[1:-1] + b',"age_ms":100000}'


async def test_the_latest_tick_of_a_quiet_start_is_the_stored_one(
    history: History, repository: Repository, database: Database
) -> None:
    """Before anything is heard the newest stored row answers; of another source only when none was streamed."""
    with pytest.raises(NotFound, match="Nothing of btc_usd is known yet"):
        await history.latest("btc_usd")
    await insert_backfill(database, T + 50)
    assert json.loads(await history.latest("btc_usd"))["source"] == "backfill"
    await repository.keep(heard([index_tick(T)]))
    latest = json.loads(await history.latest("btc_usd"))
    assert (latest["source"], latest["age_ms"], latest["position"]) == ("stream", 100_000, "e1-1")


async def test_gaps_are_told_up_to_the_limit(history: History, repository: Repository) -> None:
    """A list has a bound, and says when there is more."""
    await repository.keep(heard([Gap("btc_usd", T + ms, T + ms + 5, GapCause.SILENCE) for ms in (30, 10, 20)]))
    told = await history.gaps("btc_usd", T, None, limit=2)
    assert (told["count"], told["truncated"], told["bounds"]) == (2, True, "[start,end)")
    assert [gap["from_ms"] for gap in told["data"]] == [T + 10, T + 20]  # type: ignore[attr-defined]


async def test_the_last_words_of_a_ticker_are_handed_over(history: History, repository: Repository) -> None:
    """What ingest begins with: the last stored tick and feed state."""
    await repository.keep(heard([live(T), index_tick(T)]))
    last, status = await history.last_tick("btc_usd"), await history.last_status("btc_usd")
    assert last is not None
    assert status is not None
    assert (last.tick.timestamp_ms, last.seq, status.state) == (T, 2, FeedState.LIVE)


@pytest.mark.parametrize(
    ("time_ms", "max_ms", "found"),
    [(T, None, (T, 0)), (T + 5, None, (T, 5)), (T + 6, None, (T + 11, 5)), (T + 4, 3, None), (T + 8, 3, (T + 11, 3)),
     (T - 50, 50, (T, 50)), (T - 50, 49, None), (NOW_MS, None, (T + 11, NOW_MS - T - 11)), (T + 2, 2, (T, 2))],
)  # fmt: skip
async def test_the_tick_closest_to_a_moment(
    history: History, repository: Repository, time_ms: int, max_ms: int | None, found: tuple[int, int] | None
) -> None:
    """`at` is the closest tick on either side, at most so far away; of two as close the earlier one."""
    await repository.keep(heard([index_tick(T), index_tick(T + 11), index_tick(T + 10, ticker="eth_usd")]))
    if found is None:
        with pytest.raises(NotFound, match=f"within {max_ms} ms"):
            await history.at("btc_usd", time_ms, max_difference_ms=max_ms)
        return
    told = json.loads(await history.at("btc_usd", time_ms, max_difference_ms=max_ms))
    assert (told["timestamp"], told["difference_ms"], told["time"]) == (*found, time_ms)


@pytest.mark.parametrize(
    ("time_ms", "is_complete", "gaps"),
    [
        (T + 2, True, 0),  # the tick at T is 2 ms away, and everything up to T + 4 was heard
        (T, True, 0),
        (T + 10, True, 0),
        (T + 14, False, 1),  # nothing was heard between T + 10 and T + 20: one may have been closer
        (T + 20, True, 0),
        (T - 1, False, 0),  # before the first tick nothing was heard
        (T + 25, False, 0),  # whether there was none after the last one is not known yet
    ],
)
async def test_the_closest_tick_says_whether_a_closer_one_was_missed(
    history: History, bus: MemoryBus, repository: Repository, stopped: StoppedClock, time_ms: int, *,
    is_complete: bool, gaps: int,
) -> None:  # fmt: skip
    """Promise: an answer about a moment beside a hole says so."""
    hole = Gap("btc_usd", T + 10, T + 20, GapCause.SILENCE)
    async with writing(bus, repository, stopped.clock):
        await publish(bus, index_tick(T), live(T + 1), index_tick(T + 10), hole, index_tick(T + 20))
        await publish(bus, state(FeedState.STALE, T + 22))
    told = json.loads(await history.at("btc_usd", time_ms))
    assert (told["complete"], len(told["gaps"])) == (is_complete, gaps)


async def test_no_tick_is_closest_to_the_future(history: History) -> None:
    """What is not yet has no tick; nothing stored has none either."""
    with pytest.raises(Impossible, match="future"):
        await history.at("btc_usd", NOW_MS + 1)
    with pytest.raises(NotFound, match="no tick of btc_usd"):
        await history.at("btc_usd", NOW_MS)
